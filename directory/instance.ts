/**
 * What stands behind the process id in the name of this process's pipe.
 *
 * Reads the environment, where that is permitted.
 *
 * @module
 */

import { show } from "../model/show.ts";
import { isInstance } from "./file_names.ts";
import { runtime } from "../runtime/runtime.ts";

const VARIABLE = "STATVENT_INSTANCE";

/**
 * The instance of this process that the environment names, for programs that
 * have the same process id in different containers; `undefined` if it names none.
 *
 * @throws {TypeError} If it cannot stand in the name of a file.
 */
export function instance(): string | undefined {
  const value = runtime.env(VARIABLE);
  if (!value) return undefined;
  if (isInstance(value)) return value;
  throw new TypeError(
    `Cannot use ${VARIABLE}: it must be 1 to 64 letters, digits, ".", "_" or "-", got ${
      show(value)
    }`,
  );
}
