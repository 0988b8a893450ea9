/**
 * What a program that keeps a log of its own has counted for sure, and what it
 * may have counted, at any time.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

/** A total, and when it was written, in milliseconds since 1970. */
interface Mark {
  readonly total: number;
  readonly time: number;
}

/** The log of one program, as far as it was read. */
export class Truth {
  /** Where it can be read, once it can. */
  ready: { pid: number; path: string } | undefined;
  /** What it may have counted by now. */
  most = 0;
  readonly #counted: Mark[] = [];
  #rest = "";

  /** Takes more of the log. */
  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const [word, a, b] = line.split(" ");
      if (word === "r") this.ready = { pid: Number(a), path: b };
      else if (word === "b") this.most = Number(a);
      else this.#counted.push({ total: Number(a), time: Number(b) });
    }
  }

  /** What it had counted at that time, at least. */
  least(time: number): number {
    const marks = this.#counted;
    for (let i = marks.length - 1; i >= 0; i--) {
      if (marks[i].time <= time) return marks[i].total;
    }
    return 0;
  }
}
