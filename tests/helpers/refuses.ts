/**
 * Asserts how a call fails.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";

/** Asserts the class and the whole message of an error. */
export function refuses(
  action: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: new (...args: any[]) => Error,
  message: string,
): void {
  assertEquals(assertThrows(action, ErrorClass).message, message);
}
