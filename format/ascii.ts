/**
 * The character codes of ASCII that texts are read and written by.
 *
 * Pure: no clock, no I/O. Imports nothing.
 *
 * @module
 */

export const NEWLINE = 10;
export const SPACE = 32;
export const HASH = 35;
export const COMMA = 44;
export const MINUS = 45;
export const DOT = 46;
export const ZERO = 48;
export const NINE = 57;
export const COLON = 58;
export const CLOSING_BRACKET = 93;
