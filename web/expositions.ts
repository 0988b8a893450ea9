/**
 * Expositions by the questions that they answer, so that each keeps its encoded
 * names.
 *
 * Pure: no clock, no I/O.
 *
 * @module
 */

import { PrometheusExposition } from "../prometheus/exposition.ts";

/** How many questions are kept: few scrapers ask one service. */
const MAX_EXPOSITIONS = 4;

/** Keeps the expositions of the last questions. */
export class Expositions {
  // The one asked last comes last.
  readonly #byQuestion = new Map<string, PrometheusExposition>();

  /** The exposition of a question. */
  of(question: string): PrometheusExposition {
    const known = this.#byQuestion;
    const exposition = known.get(question) ?? new PrometheusExposition();
    known.delete(question);
    known.set(question, exposition);
    const [oldest] = known.keys();
    if (known.size > MAX_EXPOSITIONS) known.delete(oldest);
    return exposition;
  }
}
