/** The parts of `@std/cli/parse-args` that are used here, from npm. See CONTRIBUTING.md. */
import * as std from "deno-std/cli/parse_args.js";

/** Parses flags. Typed for flags with values, flags without, and `--`. */
export const parseArgs: <
  S extends string,
  B extends string,
  D extends { [K in S]?: string },
>(
  args: string[],
  options: {
    string: readonly S[];
    boolean: readonly B[];
    alias: Record<string, S | B>;
    default: D;
    "--": true;
    unknown: (arg: string) => unknown;
  },
) =>
  & { [K in S]: K extends keyof D ? string : string | undefined }
  & { [K in B]: boolean }
  & { _: string[]; "--": string[] } = std.parseArgs;
