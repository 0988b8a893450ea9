/** Starts the recorder before the program that it is loaded for. */
import process from "node:process";
const { startRecorder } = await import(process.env.CHAOS_STATVENT);
await startRecorder({ signals: process.env.CHAOS_SIGNALS === "true" });
