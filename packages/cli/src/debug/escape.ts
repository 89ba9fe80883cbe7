/**
 * Text from outside, made harmless for a terminal: control characters, and those that hide text or turn its direction, are
 * written as escapes. Whoever publishes `\u001b[2J` must not clear somebody's screen.
 */

export function escapeText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\r') return '\\r'
    if (character === '\t') return '\\t'
    return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
  })
}
