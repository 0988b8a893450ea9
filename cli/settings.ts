/**
 * The settings of the web service, from the arguments of the program.
 *
 * Reads the files that the flags name.
 *
 * @module
 */

import { resolve } from "@std/path";
import { type ParsedFlags, parseFlags, UsageError } from "./flags.ts";
import { parsePushFlags, type PushFlags } from "./push_flags.ts";
import { pipeDir } from "../directory/pipe_dir.ts";
import type { Address, CommandLine } from "../runtime/command_line.ts";
import { runtime } from "../runtime/runtime.ts";
import { normalizePath } from "../web/handler.ts";

/** The settings of the web service. */
export interface Settings extends Address {
  readonly path: string;
  readonly pipeDir: string;
  /** The file that keeps totals, if there is one. */
  readonly state: string | undefined;
  /** What clients must send, if anything. */
  readonly token: string | undefined;
  /** What to push, and where to, if anything. */
  readonly push: PushFlags | undefined;
}

/**
 * Reads the settings.
 *
 * @returns The settings, or the switch that asks for a text instead.
 * @throws {UsageError} With a sentence on what an argument must be.
 */
export function readSettings(
  program: CommandLine,
): Settings | "help" | "version" {
  const { push, rest } = parsePushFlags(program.args);
  const flags = parseFlags(rest);
  const settings = {
    port: parsePort(flags.port),
    path: parsePath(flags.path),
    pipeDir: parsePipeDir(flags["pipe-dir"]),
    ...readSecrets(program, flags),
    ip: flags.ip,
    state: flags.state === undefined ? undefined : resolve(flags.state),
    push,
  };
  return flags.help ? "help" : flags.version ? "version" : settings;
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535) {
    throw new UsageError(
      `--port must be a number from 0 to 65535, got ${value}`,
    );
  }
  return port;
}

function parsePath(value: string): string {
  const path = normalizePath(value);
  if (path === undefined) {
    throw new UsageError(
      `--path must begin with / and have no ? or #, got ${value}`,
    );
  }
  if (/\/(processes|metrics|healthz)$/.test(path)) {
    throw new UsageError(
      `--path must not end in /processes, /metrics or /healthz, which are beside it, got ${value}`,
    );
  }
  return path;
}

/**
 * The pipe directory that the flag names, or the one of the environment.
 *
 * @throws {UsageError} If it is a file.
 */
export function parsePipeDir(value: string | undefined): string {
  if (value === undefined) return pipeDir();
  if (runtime.identifyTarget(value)?.isDirectory === false) {
    throw new UsageError(
      `--pipe-dir must be a directory, got the file ${value}`,
    );
  }
  return resolve(value);
}

/** Reads the token, the certificate and its key. */
function readSecrets(
  program: CommandLine,
  flags: ParsedFlags,
): Pick<Settings, "token" | "tls"> {
  const read = (name: "token-file" | "cert" | "key") => {
    const path = flags[name];
    if (path === undefined) return undefined;
    try {
      return program.readText(path);
    } catch (error) {
      throw new UsageError(
        `cannot read --${name}: ${(error as Error).message}`,
      );
    }
  };
  const token = read("token-file")?.trim();
  const cert = read("cert");
  const key = read("key");
  if (token === "") {
    throw new UsageError("--token-file must hold a token, got an empty file");
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new UsageError(
      "--token-file must hold one word of ASCII characters, which is what a header can hold",
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key need each other");
  }
  return {
    token,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
  };
}
