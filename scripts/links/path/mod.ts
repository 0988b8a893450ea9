/** What is used of `@std/path`, from npm. See CONTRIBUTING.md. */
import { resolve as stdResolve } from "deno-std/path/resolve.js";

/** Makes a path absolute. */
export const resolve: (...paths: string[]) => string = stdResolve;
