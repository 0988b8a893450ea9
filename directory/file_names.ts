/**
 * Every name that a file in the pipe directory may have.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

/** The public name of a process's pipe. */
export function pipePath(dir: string, pid: number): string {
  return `${dir}/${pid}.stats`;
}

/** What the names of a process's other files in the directory begin with. */
export function privatePrefix(pid: number): string {
  return `.${pid}.`;
}

export const PUBLIC_NAME = /^([1-9]\d{0,9})\.stats$/;

export const PRIVATE_NAME = /^\.([1-9]\d{0,9})\./;
