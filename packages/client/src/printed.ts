/** The method whose result `console.log` prints instead of the object: `util.inspect.custom`, under the name that Node promises for it. */
export const printed: unique symbol = Symbol.for('nodejs.util.inspect.custom')
