/** The parts of `@std/assert` that are used here, from npm. See CONTRIBUTING.md. */
import * as std from "deno-std/assert/mod.js";

// deno-lint-ignore no-explicit-any
type Class<E> = new (...args: any[]) => E;

/** Fails unless the condition holds. */
export const assert: (
  condition: unknown,
  message?: string,
) => asserts condition = std.assert;

/** Fails unless both are deeply equal. */
export const assertEquals: <T>(
  actual: T,
  expected: T,
  message?: string,
) => void = std.assertEquals;

/** Fails unless the text matches. */
export const assertMatch: (
  actual: string,
  expected: RegExp,
  message?: string,
) => void = std.assertMatch;

/** Fails unless the text contains the other. */
export const assertStringIncludes: (
  actual: string,
  expected: string,
  message?: string,
) => void = std.assertStringIncludes;

/** Fails unless the function throws. */
export const assertThrows: <E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: Class<E>,
  messageIncludes?: string,
  message?: string,
) => E = std.assertThrows;

/** Fails unless the function's promise rejects. */
export const assertRejects: <E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: Class<E>,
  messageIncludes?: string,
  message?: string,
) => Promise<E> = std.assertRejects;
