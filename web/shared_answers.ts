/**
 * Answers that are made once and shared by all requests that one read answers.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import type { Answer } from "../runtime/command_line.ts";

/** How many different answers of one read are kept. */
const MAX_ANSWERS = 32;

/** Keeps the answers of the last read. */
export class SharedAnswers {
  #read: object | undefined;
  readonly #answers = new Map<string, Promise<Answer>>();

  /**
   * The answer to a question.
   *
   * @param read What was read. Its answers are dropped when another one comes.
   * @param question What identifies the answer among those of the read.
   * @param make Makes the answer, or fails, for all who ask.
   */
  of(
    read: object,
    question: string,
    make: () => Promise<Answer>,
  ): Promise<Answer> {
    if (read !== this.#read) {
      this.#read = read;
      this.#answers.clear();
    }
    let answer = this.#answers.get(question);
    if (answer === undefined) {
      answer = make();
      if (this.#answers.size < MAX_ANSWERS) this.#answers.set(question, answer);
    }
    return answer;
  }
}
