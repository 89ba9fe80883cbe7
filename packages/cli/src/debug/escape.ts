/**
 * Text from outside, made harmless for a terminal: control characters, and those that turn the direction of text, are
 * written as escapes. Whoever publishes `\u001b[2J` must not clear somebody's screen.
 */

export function escapeText(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    if (character === '\n') return '\\n'
    if (character === '\r') return '\\r'
    if (character === '\t') return '\\t'
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
