/**
 * The recorder's thread as the text of a module.
 *
 * Made by `deno task build` from `recorder_worker.ts`. Do not edit.
 *
 * @module
 */

/** The text of the module. */
export const source: string = "// format.ts\n\
var EOF = \"# EOF\";\n\
var WINDOW = \"# window \";\n\
function formatNumber(value, fractional) {\n\
  if (!fractional) {\n\
    return Math.abs(value) < 1e21 ? `${value}` : `${BigInt(value)}`;\n\
  }\n\
  const text = `${value}`;\n\
  if (text.includes(\".\")) return text;\n\
  const exponent = text.indexOf(\"e\");\n\
  return exponent === -1 ? `${text}.0` : `${text.slice(0, exponent)}.0${text.slice(exponent)}`;\n\
}\n\
function add(a, b) {\n\
  return Math.min(Math.max(a + b, -Number.MAX_VALUE), Number.MAX_VALUE);\n\
}\n\
\n\
// percentile.ts\n\
var DEFAULT_PERCENTILES = Object.freeze([\n\
  [\n\
    50,\n\
    \"median\"\n\
  ],\n\
  [\n\
    95,\n\
    \"95th\"\n\
  ],\n\
  [\n\
    99,\n\
    \"99th\"\n\
  ],\n\
  [\n\
    100,\n\
    \"100th\"\n\
  ]\n\
].map((pair) => Object.freeze(pair)));\n\
function percentile(sorted, p) {\n\
  if (sorted.length === 0) return 0;\n\
  return sorted[Math.max(0, Math.floor(sorted.length * (p * 0.01)) - 1)];\n\
}\n\
function mean(values) {\n\
  const n = values.length;\n\
  if (n === 0) return 0;\n\
  let sum = 0;\n\
  for (let i = 0; i < n; i++) sum += values[i];\n\
  if (Number.isFinite(sum)) return sum / n;\n\
  sum = 0;\n\
  for (let i = 0; i < n; i++) sum += values[i] / n;\n\
  return sum;\n\
}\n\
\n\
// exposition.ts\n\
var ZERO = 48;\n\
var MINUS = 45;\n\
var COMMA = 44;\n\
var NEWLINE = 10;\n\
var NUMBER_BYTES = 320;\n\
var encoder = new TextEncoder();\n\
var ByteBuffer = class {\n\
  bytes = new Uint8Array(4096);\n\
  length = 0;\n\
  /** Makes room for `count` more. */\n\
  reserve(count) {\n\
    if (this.length + count <= this.bytes.length) return;\n\
    const old = this.bytes;\n\
    this.bytes = new Uint8Array(2 * (this.length + count));\n\
    this.bytes.set(old);\n\
  }\n\
  /** Appends text that stands in `source` from `start` to `end`. */\n\
  copy(source, start, end) {\n\
    this.reserve(end - start);\n\
    const { bytes } = this;\n\
    let { length } = this;\n\
    for (let i = start; i < end; i++) bytes[length++] = source[i];\n\
    this.length = length;\n\
  }\n\
  /** Appends encoded text. */\n\
  text(text) {\n\
    this.copy(text, 0, text.length);\n\
  }\n\
  /** Appends one ASCII character. */\n\
  char(code) {\n\
    this.reserve(1);\n\
    this.bytes[this.length++] = code;\n\
  }\n\
  /** Appends a number. */\n\
  number(value, fractional) {\n\
    this.reserve(NUMBER_BYTES);\n\
    if (fractional || value > 2 ** 53 || value < -(2 ** 53)) {\n\
      const text = formatNumber(value, fractional);\n\
      for (let i = 0; i < text.length; i++) {\n\
        this.bytes[this.length++] = text.charCodeAt(i);\n\
      }\n\
      return;\n\
    }\n\
    if (value < 0) {\n\
      this.bytes[this.length++] = MINUS;\n\
      value = -value;\n\
    }\n\
    if (value < 1e9) this.#digits(value | 0, 1);\n\
    else {\n\
      const high = Math.floor(value / 1e9);\n\
      this.#digits(high | 0, 1);\n\
      this.#digits(value - high * 1e9 | 0, 9);\n\
    }\n\
  }\n\
  /** Appends a 32-bit integer from 0 on, filled up with zeros to `width` digits. */\n\
  #digits(value, width) {\n\
    for (let limit = 10 ** width; value >= limit; limit *= 10) width++;\n\
    this.length += width;\n\
    const { bytes } = this;\n\
    for (let at = this.length - 1; width > 0; width--, at--) {\n\
      const rest = value / 10 | 0;\n\
      bytes[at] = ZERO + value - 10 * rest;\n\
      value = rest;\n\
    }\n\
  }\n\
};\n\
var WINDOW_END = encoder.encode(\"]}: \");\n\
var EOF_START = encoder.encode(`${EOF}: `);\n\
function encodeRecorded({ description }) {\n\
  const { name, percentiles, mean: mean2 } = description;\n\
  const line = (name2) => encoder.encode(`${name2}: `);\n\
  const head = JSON.stringify({\n\
    name,\n\
    percentiles,\n\
    mean: mean2\n\
  });\n\
  return {\n\
    percentiles: percentiles.map(([p, name2]) => [\n\
      p,\n\
      line(name2)\n\
    ]),\n\
    mean: line(mean2),\n\
    window: encoder.encode(`${WINDOW}${head.slice(0, -1)},\"values\":[`)\n\
  };\n\
}\n\
var Exposition = class {\n\
  #out = new ByteBuffer();\n\
  // The names of counters and gauges, each with \": \", and where each ends.\n\
  #names = new ByteBuffer();\n\
  #nameEnds = [];\n\
  #recorded = [];\n\
  /**\n\
   * Writes one snapshot.\n\
   *\n\
   * @param stats What to write. Always the same object.\n\
   * @param annotations Whether to send more than the lines of statvent 1.0.\n\
   * @returns The bytes, in a buffer that the next call reuses.\n\
   */\n\
  write(stats2, annotations) {\n\
    const out = this.#out;\n\
    out.length = 0;\n\
    this.#writeScalars(stats2);\n\
    const recorded = [\n\
      ...stats2.recorded.values()\n\
    ];\n\
    while (this.#recorded.length < recorded.length) {\n\
      this.#recorded.push(encodeRecorded(recorded[this.#recorded.length]));\n\
    }\n\
    const windows = recorded.map((stat) => stat.sorted());\n\
    for (const [i, stat] of recorded.entries()) {\n\
      this.#writeRecorded(this.#recorded[i], windows[i], stat.fractional);\n\
    }\n\
    if (annotations) {\n\
      for (const [i, stat] of recorded.entries()) {\n\
        this.#writeWindow(this.#recorded[i], windows[i], stat.fractional);\n\
      }\n\
      const before = out.length;\n\
      out.text(EOF_START);\n\
      out.number(before, false);\n\
      out.char(NEWLINE);\n\
    }\n\
    return out.bytes.subarray(0, out.length);\n\
  }\n\
  #writeScalars({ names, values, fractional }) {\n\
    const out = this.#out;\n\
    while (this.#nameEnds.length < names.length) {\n\
      this.#names.text(encoder.encode(`${names[this.#nameEnds.length]}: `));\n\
      this.#nameEnds.push(this.#names.length);\n\
    }\n\
    let start = 0;\n\
    for (let i = 0; i < names.length; i++) {\n\
      const end = this.#nameEnds[i];\n\
      out.copy(this.#names.bytes, start, end);\n\
      out.number(values[i], fractional[i] === 1);\n\
      out.char(NEWLINE);\n\
      start = end;\n\
    }\n\
  }\n\
  #writeRecorded(text, sorted, fractional) {\n\
    if (sorted.length === 0) return;\n\
    const out = this.#out;\n\
    for (const [p, line] of text.percentiles) {\n\
      out.text(line);\n\
      out.number(percentile(sorted, p), fractional);\n\
      out.char(NEWLINE);\n\
    }\n\
    out.text(text.mean);\n\
    out.number(mean(sorted), true);\n\
    out.char(NEWLINE);\n\
  }\n\
  #writeWindow(text, sorted, fractional) {\n\
    if (sorted.length === 0) return;\n\
    const out = this.#out;\n\
    out.text(text.window);\n\
    for (let i = 0; i < sorted.length; i++) {\n\
      if (i > 0) out.char(COMMA);\n\
      out.number(sorted[i], fractional);\n\
    }\n\
    out.text(WINDOW_END);\n\
    out.number(sorted.length, false);\n\
    out.char(NEWLINE);\n\
  }\n\
};\n\
\n\
// runtime_posix.ts\n\
import { closeSync, constants, linkSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, watch, writeSync } from \"node:fs\";\n\
import process from \"node:process\";\n\
import { BroadcastChannel, isMainThread, parentPort, Worker, workerData } from \"node:worker_threads\";\n\
function errorCode(error) {\n\
  return error?.code;\n\
}\n\
function firstLine(text) {\n\
  return text.split(\"\\n\
\", 1)[0];\n\
}\n\
function unless(codes, action) {\n\
  try {\n\
    return action();\n\
  } catch (error) {\n\
    if (codes.includes(errorCode(error) ?? \"\")) return void 0;\n\
    throw error;\n\
  }\n\
}\n\
function isInProc(pid) {\n\
  const exists = (path) => unless([\n\
    \"ENOENT\"\n\
  ], () => lstatSync(path)) !== void 0;\n\
  try {\n\
    return exists(`/proc/${pid}`) || (exists(\"/proc/self\") ? false : void 0);\n\
  } catch {\n\
    return void 0;\n\
  }\n\
}\n\
function takesSignals(pid) {\n\
  try {\n\
    return process.kill(pid, 0);\n\
  } catch (error) {\n\
    return {\n\
      ESRCH: false,\n\
      EPERM: true\n\
    }[errorCode(error) ?? \"\"];\n\
  }\n\
}\n\
var O_PATH = 2097152;\n\
var posix = {\n\
  processExists: (pid) => isInProc(pid) ?? takesSignals(pid),\n\
  makeDir: (path) => void mkdirSync(path, {\n\
    recursive: true\n\
  }),\n\
  list: (dir) => readdirSync(dir),\n\
  identify: (path) => {\n\
    const stat = unless([\n\
      \"ENOENT\",\n\
      \"ENOTDIR\"\n\
    ], () => lstatSync(path));\n\
    return stat && {\n\
      inode: stat.ino,\n\
      isFifo: stat.isFIFO()\n\
    };\n\
  },\n\
  link: linkSync,\n\
  rename: renameSync,\n\
  remove: (path) => rmSync(path, {\n\
    force: true\n\
  }),\n\
  watch: (path, callback) => {\n\
    const watcher = watch(path, {\n\
      persistent: false\n\
    }, callback);\n\
    watcher.on(\"error\", callback);\n\
    return () => watcher.close();\n\
  },\n\
  openReader: (path) => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),\n\
  openWriter: (path) => unless([\n\
    \"ENXIO\",\n\
    \"ENOENT\"\n\
  ], () => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)),\n\
  read: (fd, into) => unless([\n\
    \"EAGAIN\"\n\
  ], () => readSync(fd, into)),\n\
  // Pieces of at most PIPE_BUF bytes are written whole or not at all. Of a\n\
  // larger one Deno does not say how much was written before `EAGAIN`.\n\
  write: (fd, bytes) => unless([\n\
    \"EAGAIN\"\n\
  ], () => writeSync(fd, bytes)) !== void 0,\n\
  close: closeSync,\n\
  hold: (path) => process.platform === \"linux\" ? openSync(path, O_PATH) : 0,\n\
  endWait: (hold, path) => {\n\
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;\n\
    for (const name of [\n\
      `/proc/self/fd/${hold}`,\n\
      path\n\
    ]) {\n\
      try {\n\
        return closeSync(openSync(name, flags));\n\
      } catch {\n\
      }\n\
    }\n\
  },\n\
  isMainThread,\n\
  joinChannel: (name, receive) => {\n\
    const channel = new BroadcastChannel(name);\n\
    channel.onmessage = (event) => receive(event.data);\n\
    channel.unref();\n\
    return (message) => channel.postMessage(message);\n\
  },\n\
  startThread: (source, data, receive, fail) => {\n\
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);\n\
    const worker = new Worker(url, {\n\
      workerData: data\n\
    });\n\
    worker.on(\"message\", receive);\n\
    worker.on(\"error\", fail);\n\
    return {\n\
      post: (message) => worker.postMessage(message),\n\
      unref: () => worker.unref(),\n\
      terminate: async () => void await worker.terminate()\n\
    };\n\
  },\n\
  joinParent: (receive) => {\n\
    parentPort.on(\"message\", receive);\n\
    return {\n\
      data: workerData,\n\
      post: (message) => parentPort.postMessage(message)\n\
    };\n\
  }\n\
};\n\
\n\
// runtime_deno.ts\n\
async function permitted(descriptor) {\n\
  return (await Deno.permissions.request(descriptor)).state === \"granted\";\n\
}\n\
var denoRuntime = {\n\
  ...posix,\n\
  get pid() {\n\
    return Deno.pid;\n\
  },\n\
  env: (name) => {\n\
    const { state } = Deno.permissions.querySync({\n\
      name: \"env\",\n\
      variable: name\n\
    });\n\
    return state === \"granted\" ? Deno.env.get(name) : void 0;\n\
  },\n\
  missingPermission: async (path) => {\n\
    const missing = [];\n\
    if (!await permitted({\n\
      name: \"read\",\n\
      path\n\
    })) {\n\
      missing.push(`--allow-read=${path}`);\n\
    }\n\
    if (!await permitted({\n\
      name: \"write\",\n\
      path\n\
    })) {\n\
      missing.push(`--allow-write=${path}`);\n\
    }\n\
    if (!await permitted({\n\
      name: \"run\",\n\
      command: \"mkfifo\"\n\
    })) {\n\
      missing.push(\"--allow-run=mkfifo, with mkfifo on the PATH\");\n\
    }\n\
    return missing.length > 0 ? `run with ${missing.join(\" \")}` : void 0;\n\
  },\n\
  makeFifos: async (paths, mode) => {\n\
    const { success, stderr } = await new Deno.Command(\"mkfifo\", {\n\
      args: [\n\
        \"-m\",\n\
        mode.toString(8),\n\
        ...paths\n\
      ],\n\
      stdin: \"null\",\n\
      stdout: \"null\",\n\
      stderr: \"piped\"\n\
    }).output();\n\
    if (!success) throw new Error(firstLine(new TextDecoder().decode(stderr)));\n\
  },\n\
  watch: (path, callback) => {\n\
    const name = `${path}.watched`;\n\
    posix.link(path, name);\n\
    let watcher;\n\
    try {\n\
      watcher = Deno.watchFs(name, {\n\
        recursive: false\n\
      });\n\
    } finally {\n\
      posix.remove(name);\n\
    }\n\
    (async () => {\n\
      for await (const _ of watcher) callback();\n\
    })();\n\
    return () => watcher.close();\n\
  },\n\
  waitForReader: async (path) => {\n\
    const file = await Deno.open(path, {\n\
      write: true\n\
    });\n\
    return () => file.close();\n\
  },\n\
  onExit: (end, survivable) => {\n\
    addEventListener(\"unload\", end);\n\
    addEventListener(\"error\", survivable);\n\
    addEventListener(\"unhandledrejection\", survivable);\n\
    return () => {\n\
      removeEventListener(\"unload\", end);\n\
      removeEventListener(\"error\", survivable);\n\
      removeEventListener(\"unhandledrejection\", survivable);\n\
    };\n\
  }\n\
};\n\
\n\
// runtime_node.ts\n\
import process2 from \"node:process\";\n\
import { Worker as Worker2 } from \"node:worker_threads\";\n\
var POLL_MS = 20;\n\
var OPENER = `\n\
const { openSync, constants } = require(\"node:fs\");\n\
const { parentPort } = require(\"node:worker_threads\");\n\
parentPort.on(\"message\", (path) => {\n\
  try {\n\
    parentPort.postMessage({ fd: openSync(path, constants.O_WRONLY) });\n\
  } catch (error) {\n\
    parentPort.postMessage({ error });\n\
  }\n\
});`;\n\
var opener;\n\
function park(path) {\n\
  opener ??= new Worker2(OPENER, {\n\
    eval: true\n\
  });\n\
  return new Promise((resolve, reject) => {\n\
    opener.once(\"message\", ({ fd, error }) => {\n\
      if (fd === void 0) reject(error);\n\
      else resolve(fd);\n\
    });\n\
    opener.postMessage(path);\n\
  });\n\
}\n\
async function poll(path) {\n\
  while (posix.identify(path) !== void 0) {\n\
    const fd = posix.openWriter(path);\n\
    if (fd !== void 0) return fd;\n\
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));\n\
  }\n\
  throw new Error(`${path} has gone`);\n\
}\n\
var nodeRuntime = {\n\
  ...posix,\n\
  get pid() {\n\
    return process2.pid;\n\
  },\n\
  env: (name) => process2.env[name],\n\
  missingPermission: () => Promise.resolve(void 0),\n\
  makeFifos: (paths, mode) => new Promise((resolve, reject) => {\n\
    process2.getBuiltinModule(\"node:child_process\").execFile(\"mkfifo\", [\n\
      \"-m\",\n\
      mode.toString(8),\n\
      ...paths\n\
    ], (error, _, stderr) => {\n\
      if (error === null) resolve();\n\
      else reject(stderr ? new Error(firstLine(stderr)) : error);\n\
    });\n\
  }),\n\
  waitForReader: async (path, mayPark) => {\n\
    const fd = await (mayPark ? park(path) : poll(path));\n\
    return () => posix.close(fd);\n\
  },\n\
  onExit: (end) => {\n\
    process2.on(\"exit\", end);\n\
    return () => process2.off(\"exit\", end);\n\
  }\n\
};\n\
\n\
// runtime.ts\n\
var runtime = \"Deno\" in globalThis ? denoRuntime : nodeRuntime;\n\
\n\
// fifo_pool.ts\n\
var BATCH = 3;\n\
var QUARANTINE_MS = 30;\n\
var GIVE_UP_MS = 1e4;\n\
var sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n\
function pipePath(dir, pid) {\n\
  return `${dir}/${pid}.stats`;\n\
}\n\
function privatePrefix(pid) {\n\
  return `.${pid}.`;\n\
}\n\
var FifoPool = class {\n\
  #dir;\n\
  #mode;\n\
  #control;\n\
  #made = 0;\n\
  #free = [];\n\
  constructor(dir, mode, control) {\n\
    this.#dir = dir;\n\
    this.#mode = mode;\n\
    this.#control = control;\n\
  }\n\
  /** The public name. */\n\
  get path() {\n\
    return pipePath(this.#dir, runtime.pid);\n\
  }\n\
  #privatePath(name) {\n\
    return `${this.#dir}/${privatePrefix(runtime.pid)}${name}`;\n\
  }\n\
  /** Makes a batch of pipes. */\n\
  async #make() {\n\
    const paths = Array.from({\n\
      length: BATCH\n\
    }, () => this.#privatePath(`${this.#made++}.fifo`));\n\
    await this.#control.whileRunning(() => runtime.makeFifos(paths, this.#mode));\n\
    this.#free.push(...paths);\n\
  }\n\
  /** Takes a pipe that has no reader and gives it the public name. */\n\
  async publishNext() {\n\
    for (; ; ) {\n\
      if (this.#free.length === 0) await this.#make();\n\
      const fifo = this.#free.shift();\n\
      if (runtime.identify(fifo)?.isFifo !== true) continue;\n\
      this.publish(fifo);\n\
      return fifo;\n\
    }\n\
  }\n\
  /** Gives a pipe the public name, in one step. */\n\
  publish(fifo) {\n\
    this.#control.whileRunning(() => {\n\
      const next = this.#privatePath(\"next\");\n\
      runtime.remove(next);\n\
      runtime.link(fifo, next);\n\
      runtime.rename(next, this.path);\n\
      runtime.remove(next);\n\
    });\n\
  }\n\
  /** Whether a pipe has the public name, and still has its own. */\n\
  isPublished(fifo) {\n\
    const own = runtime.identify(fifo);\n\
    return own !== void 0 && own.inode === runtime.identify(this.path)?.inode;\n\
  }\n\
  /**\n\
   * Takes a used pipe back when its reader has left it.\n\
   *\n\
   * @param serve Serves a reader that came late. It gets a file to write to.\n\
   */\n\
  async takeBack(fifo, serve2) {\n\
    const start = performance.now();\n\
    let left = false;\n\
    for (let pause = 1; ; pause = Math.min(2 * pause, 250)) {\n\
      await sleep(pause);\n\
      const age = performance.now() - start;\n\
      const fd = runtime.openWriter(fifo);\n\
      if (fd === void 0) {\n\
        left = true;\n\
        if (age < QUARANTINE_MS) continue;\n\
        this.#free.push(fifo);\n\
        return;\n\
      } else if (left) {\n\
        left = false;\n\
        serve2(fd);\n\
      } else {\n\
        runtime.close(fd);\n\
      }\n\
      if (age > GIVE_UP_MS) return runtime.remove(fifo);\n\
    }\n\
  }\n\
};\n\
\n\
// recorder_control.ts\n\
var RUNNING = 0;\n\
var BUSY = 1;\n\
var HOLD = 2;\n\
var StoppedError = class extends Error {\n\
  /** `\"StoppedError\"`. */\n\
  name = \"StoppedError\";\n\
};\n\
var RecorderControl = class {\n\
  /** What the other thread makes its side of. */\n\
  shared;\n\
  constructor(shared = new Int32Array(new SharedArrayBuffer(12))) {\n\
    this.shared = shared;\n\
  }\n\
  /** Whether the recorder may create files. */\n\
  get running() {\n\
    return Atomics.load(this.shared, RUNNING) === 1;\n\
  }\n\
  /** What the recorder holds of the pipe whose reader it waits for. */\n\
  get hold() {\n\
    return Atomics.load(this.shared, HOLD);\n\
  }\n\
  set hold(value) {\n\
    Atomics.store(this.shared, HOLD, value);\n\
  }\n\
  /** The program's side: the recorder may create files from now on. */\n\
  start() {\n\
    Atomics.store(this.shared, RUNNING, 1);\n\
  }\n\
  /**\n\
   * The program's side: the recorder may create no more files. Waits until it\n\
   * is done with what it is creating, but at most for `timeout` milliseconds.\n\
   */\n\
  stop(timeout = 200) {\n\
    Atomics.store(this.shared, RUNNING, 0);\n\
    Atomics.wait(this.shared, BUSY, 1, timeout);\n\
  }\n\
  /**\n\
   * The recorder's side: does something that creates files.\n\
   *\n\
   * @returns What `action` returns. If that is a promise, it is done when the\n\
   * promise is.\n\
   * @throws {StoppedError} If it may not.\n\
   */\n\
  whileRunning(action) {\n\
    let result;\n\
    Atomics.store(this.shared, BUSY, 1);\n\
    try {\n\
      if (!this.running) throw new StoppedError(\"The recorder was stopped\");\n\
      result = action();\n\
      return result instanceof Promise ? result.finally(() => this.#rest()) : result;\n\
    } finally {\n\
      if (!(result instanceof Promise)) this.#rest();\n\
    }\n\
  }\n\
  #rest() {\n\
    Atomics.store(this.shared, BUSY, 0);\n\
    Atomics.notify(this.shared, BUSY);\n\
  }\n\
};\n\
\n\
// pipe_server.ts\n\
var PIECE_BYTES = 4096;\n\
var PATIENCE_MS = 10;\n\
var STALL_MS = 5e3;\n\
var MAX_SLOW = 64;\n\
var SETTLE_MS = 250;\n\
var HEAL_MS = 100;\n\
var POLL_MS2 = 500;\n\
var sleep2 = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n\
var never = new Int32Array(new SharedArrayBuffer(4));\n\
function writePatiently(fd, bytes) {\n\
  let offset = 0;\n\
  let deadline = performance.now() + PATIENCE_MS;\n\
  while (offset < bytes.length) {\n\
    if (runtime.write(fd, bytes.subarray(offset, offset + PIECE_BYTES))) {\n\
      offset += PIECE_BYTES;\n\
      deadline = performance.now() + PATIENCE_MS;\n\
    } else if (performance.now() > deadline) return offset;\n\
    else Atomics.wait(never, 0, 0, 0.05);\n\
  }\n\
  return offset;\n\
}\n\
var PipeServer = class {\n\
  #options;\n\
  #pool;\n\
  #slow = 0;\n\
  #unwatch = () => {\n\
  };\n\
  #timer;\n\
  constructor(options) {\n\
    this.#options = options;\n\
    this.#pool = new FifoPool(options.dir, options.mode, options.control);\n\
  }\n\
  /**\n\
   * Serves until `control` says to stop.\n\
   *\n\
   * @param ready Called when a reader would be served.\n\
   * @throws If the pipe cannot be made at the beginning. What fails later is\n\
   * tried again.\n\
   */\n\
  async run(ready) {\n\
    try {\n\
      let fifo = await this.#pool.publishNext();\n\
      let arrival = this.#wait(fifo);\n\
      ready();\n\
      for (; ; ) {\n\
        const gone = this.#watch(fifo);\n\
        const close = await Promise.race([\n\
          arrival,\n\
          gone\n\
        ]);\n\
        this.#stopWatching();\n\
        if (!this.#options.control.running) return close?.();\n\
        if (close !== void 0) {\n\
          const next = await this.#publishNext();\n\
          arrival = this.#wait(next);\n\
          this.#serve(fifo, close);\n\
          fifo = next;\n\
        } else if (!this.#republish(fifo)) {\n\
          this.#abandon(fifo, arrival);\n\
          fifo = await this.#publishNext();\n\
          arrival = this.#wait(fifo);\n\
        }\n\
      }\n\
    } catch (error) {\n\
      if (!(error instanceof StoppedError)) throw error;\n\
    } finally {\n\
      this.#stopWatching();\n\
    }\n\
  }\n\
  /**\n\
   * Waits for a reader.\n\
   *\n\
   * @returns How to close the pipe again. Never settles if the pipe loses its\n\
   * names before the wait begins, which the watch will notice.\n\
   */\n\
  async #wait(fifo) {\n\
    const { control, mayPark } = this.#options;\n\
    let hold = 0;\n\
    try {\n\
      hold = control.hold = runtime.hold(fifo);\n\
      return await runtime.waitForReader(fifo, mayPark);\n\
    } catch {\n\
      return new Promise(() => {\n\
      });\n\
    } finally {\n\
      if (control.hold === hold) control.hold = 0;\n\
      if (hold > 0) runtime.close(hold);\n\
    }\n\
  }\n\
  /** Gives up waiting for a reader of a pipe that has no name any more. */\n\
  #abandon(fifo, arrival) {\n\
    runtime.endWait(this.#options.control.hold, fifo);\n\
    arrival.then((close) => close());\n\
  }\n\
  /** Publishes the next pipe, trying until it succeeds. */\n\
  async #publishNext() {\n\
    const { dir, control } = this.#options;\n\
    for (let pause = 0; ; pause = POLL_MS2) {\n\
      try {\n\
        return await this.#pool.publishNext();\n\
      } catch (error) {\n\
        if (error instanceof StoppedError) throw error;\n\
      }\n\
      await sleep2(pause);\n\
      try {\n\
        control.whileRunning(() => runtime.makeDir(dir));\n\
      } catch (error) {\n\
        if (error instanceof StoppedError) throw error;\n\
      }\n\
    }\n\
  }\n\
  /** Publishes a pipe again. Returns whether it still has a name to do that by. */\n\
  #republish(fifo) {\n\
    try {\n\
      this.#pool.publish(fifo);\n\
      return true;\n\
    } catch (error) {\n\
      if (error instanceof StoppedError) throw error;\n\
      return false;\n\
    }\n\
  }\n\
  /** Resolves when the pipe has lost one of its names. */\n\
  #watch(fifo) {\n\
    return new Promise((resolve) => {\n\
      const look = () => {\n\
        if (!this.#pool.isPublished(fifo)) resolve(void 0);\n\
      };\n\
      const lookLater = () => {\n\
        clearTimeout(this.#timer);\n\
        this.#timer = setTimeout(look, HEAL_MS);\n\
      };\n\
      const poll2 = () => {\n\
        look();\n\
        this.#timer = setTimeout(poll2, POLL_MS2);\n\
      };\n\
      this.#timer = setTimeout(() => {\n\
        try {\n\
          this.#unwatch = this.#options.control.whileRunning(() => runtime.watch(fifo, lookLater));\n\
          lookLater();\n\
        } catch {\n\
          poll2();\n\
        }\n\
      }, SETTLE_MS);\n\
    });\n\
  }\n\
  #stopWatching() {\n\
    clearTimeout(this.#timer);\n\
    this.#unwatch();\n\
    this.#unwatch = () => {\n\
    };\n\
  }\n\
  /** Serves the reader for whom `close` has kept the pipe open. */\n\
  #serve(fifo, close) {\n\
    const fd = runtime.openWriter(fifo);\n\
    close();\n\
    const takeBack = () => this.#pool.takeBack(fifo, (fd2) => void this.#write(fd2));\n\
    if (fd === void 0) takeBack();\n\
    else this.#write(fd).then(takeBack);\n\
  }\n\
  /** Writes a snapshot and closes the file. */\n\
  async #write(fd) {\n\
    const snapshot = this.#options.snapshot();\n\
    try {\n\
      const offset = writePatiently(fd, snapshot);\n\
      if (offset < snapshot.length && this.#slow < MAX_SLOW) {\n\
        this.#slow++;\n\
        try {\n\
          await this.#writeSlowly(fd, snapshot.slice(offset));\n\
        } finally {\n\
          this.#slow--;\n\
        }\n\
      }\n\
    } catch {\n\
    } finally {\n\
      runtime.close(fd);\n\
    }\n\
  }\n\
  async #writeSlowly(fd, bytes) {\n\
    let offset = 0;\n\
    for (let pause = 1, since = performance.now(); offset < bytes.length && performance.now() - since < STALL_MS; pause = Math.min(2 * pause, 32)) {\n\
      await sleep2(pause);\n\
      while (offset < bytes.length && runtime.write(fd, bytes.subarray(offset, offset + PIECE_BYTES))) {\n\
        offset += PIECE_BYTES;\n\
        since = performance.now();\n\
        pause = 1;\n\
      }\n\
    }\n\
  }\n\
};\n\
\n\
// slab.ts\n\
var LAYOUT = 1;\n\
var WINDOW2 = 2;\n\
var USED = 0;\n\
var FIRST_ENTRY = 1;\n\
var HEAD = 4;\n\
var KIND = 0;\n\
var CELL = 1;\n\
var WIDTH = 2;\n\
var TEXT_BYTES = 3;\n\
var MAX_BYTES = 2 ** 30;\n\
function marksOf(slab) {\n\
  return new Uint8Array(slab.marks, 0, slab.marks.byteLength);\n\
}\n\
function wordsOf(slab) {\n\
  return new Int32Array(slab.catalog, 0, Math.floor(slab.catalog.byteLength / 4));\n\
}\n\
var SlabReader = class {\n\
  /** The numbers as they were at the last {@linkcode SlabReader.refresh}. */\n\
  cells = new Float64Array(0);\n\
  /** The marks, as they are now. */\n\
  marks;\n\
  #slab;\n\
  #words;\n\
  #next = FIRST_ENTRY;\n\
  #usedCells = 0;\n\
  #decoder = new TextDecoder(\"utf-8\", {\n\
    ignoreBOM: true\n\
  });\n\
  constructor(slab) {\n\
    this.#slab = slab;\n\
    this.marks = marksOf(slab);\n\
    this.#words = wordsOf(slab);\n\
  }\n\
  /** Copies the numbers and returns the stats that are new since the last call. */\n\
  refresh() {\n\
    const end = Atomics.load(this.#words, USED);\n\
    if (this.#words.length < end) this.#words = wordsOf(this.#slab);\n\
    const added = [];\n\
    while (this.#next < end) added.push(this.#readEntry());\n\
    if (this.cells.length < this.#usedCells) {\n\
      this.cells = new Float64Array(Math.max(this.#usedCells, 2 * this.cells.length));\n\
      this.marks = marksOf(this.#slab);\n\
    }\n\
    this.cells.set(new Float64Array(this.#slab.cells, 0, this.#usedCells));\n\
    return added;\n\
  }\n\
  #readEntry() {\n\
    const words = this.#words;\n\
    const start = this.#next;\n\
    const textBytes = words[start + TEXT_BYTES];\n\
    const cell = words[start + CELL];\n\
    const width = words[start + WIDTH];\n\
    this.#usedCells = cell + width;\n\
    this.#next = start + HEAD + Math.ceil(textBytes / 4);\n\
    const text = new Uint8Array(this.#slab.catalog, 4 * (start + HEAD), textBytes).slice();\n\
    return {\n\
      kind: words[start + KIND],\n\
      text: this.#decoder.decode(text),\n\
      cell,\n\
      width\n\
    };\n\
  }\n\
};\n\
\n\
// process_stats.ts\n\
var RecordedStat = class {\n\
  /** Its names. */\n\
  description;\n\
  #parts = [];\n\
  constructor(description) {\n\
    this.description = description;\n\
  }\n\
  /** Adds a thread's window. */\n\
  add(part) {\n\
    this.#parts.push(part);\n\
  }\n\
  /** Whether a fractional value was ever recorded. */\n\
  get fractional() {\n\
    return this.#parts.some(({ reader, cell }) => reader.marks[cell] === 1);\n\
  }\n\
  /** The values in all threads' windows, in ascending order. */\n\
  sorted() {\n\
    const values = new Float64Array(this.#parts.reduce((sum, { width }) => sum + width, 0));\n\
    let n = 0;\n\
    for (const { reader, cell, width } of this.#parts) {\n\
      for (let i = cell; i < cell + width; i++) {\n\
        if (reader.cells[i] === reader.cells[i]) values[n++] = reader.cells[i];\n\
      }\n\
    }\n\
    return values.subarray(0, n).sort();\n\
  }\n\
};\n\
var ProcessStats = class {\n\
  /** The names of counters and gauges, in the order of their creation. */\n\
  names = [];\n\
  /** Their values, summed over threads, and room for more. */\n\
  values = new Float64Array(64);\n\
  /** For each, 1 if it was ever given a fractional value. */\n\
  fractional = new Uint8Array(64);\n\
  /** The recorded stats, by name. */\n\
  recorded = /* @__PURE__ */ new Map();\n\
  #sources = /* @__PURE__ */ new Map();\n\
  #places = /* @__PURE__ */ new Map();\n\
  /** Reads the slabs, which may have become more since the last time. */\n\
  refresh(slabs2) {\n\
    for (const slab of slabs2) {\n\
      let source = this.#sources.get(slab.id);\n\
      if (source === void 0) {\n\
        source = {\n\
          reader: new SlabReader(slab),\n\
          cells: [],\n\
          places: []\n\
        };\n\
        this.#sources.set(slab.id, source);\n\
      }\n\
      this.#refreshSource(source);\n\
    }\n\
    this.#sum();\n\
  }\n\
  #refreshSource(source) {\n\
    for (const { kind, text, cell, width } of source.reader.refresh()) {\n\
      if (kind === WINDOW2) {\n\
        const description = JSON.parse(text);\n\
        let stat = this.recorded.get(description.name);\n\
        if (stat === void 0) {\n\
          stat = new RecordedStat(description);\n\
          this.recorded.set(description.name, stat);\n\
        }\n\
        stat.add({\n\
          reader: source.reader,\n\
          cell,\n\
          width\n\
        });\n\
      } else {\n\
        source.cells.push(cell);\n\
        source.places.push(this.#placeOf(text));\n\
      }\n\
    }\n\
  }\n\
  #placeOf(name) {\n\
    let place = this.#places.get(name);\n\
    if (place === void 0) {\n\
      place = this.names.push(name) - 1;\n\
      this.#places.set(name, place);\n\
      if (place === this.values.length) {\n\
        this.values = new Float64Array(2 * place);\n\
        this.fractional = new Uint8Array(2 * place);\n\
      }\n\
    }\n\
    return place;\n\
  }\n\
  #sum() {\n\
    const { values, fractional } = this;\n\
    values.fill(0);\n\
    fractional.fill(0);\n\
    for (const { reader, cells, places } of this.#sources.values()) {\n\
      for (let i = 0; i < cells.length; i++) {\n\
        const place = places[i];\n\
        values[place] = add(values[place], reader.cells[cells[i]]);\n\
        fractional[place] |= reader.marks[cells[i]];\n\
      }\n\
    }\n\
  }\n\
  /** Every name with its value, as the lines of the pipe show them. */\n\
  *entries() {\n\
    for (const [i, name] of this.names.entries()) {\n\
      yield [\n\
        name,\n\
        this.values[i]\n\
      ];\n\
    }\n\
    for (const stat of this.recorded.values()) {\n\
      const sorted = stat.sorted();\n\
      if (sorted.length === 0) continue;\n\
      for (const [p, name] of stat.description.percentiles) {\n\
        yield [\n\
          name,\n\
          percentile(sorted, p)\n\
        ];\n\
      }\n\
      yield [\n\
        stat.description.mean,\n\
        mean(sorted)\n\
      ];\n\
    }\n\
  }\n\
};\n\
\n\
// threads.ts\n\
var MEETING = `statvent.slabs.${LAYOUT}`;\n\
var Threads = class {\n\
  /** Every slab of the process that this thread has heard of, by its id. */\n\
  slabs = /* @__PURE__ */ new Map();\n\
  #post = runtime.joinChannel(MEETING, (message) => this.#receive(message));\n\
  constructor() {\n\
    this.#tell({\n\
      slabs: [],\n\
      ask: true\n\
    });\n\
  }\n\
  #tell(message) {\n\
    this.#post(message);\n\
  }\n\
  #receive(message) {\n\
    const { slabs: slabs2, ask } = message;\n\
    for (const slab of slabs2) this.slabs.set(slab.id, slab);\n\
    if (ask) this.#tell({\n\
      slabs: [\n\
        ...this.slabs.values()\n\
      ],\n\
      ask: false\n\
    });\n\
  }\n\
  /** Makes a slab known to all threads. */\n\
  share(slab) {\n\
    this.slabs.set(slab.id, slab);\n\
    this.#tell({\n\
      slabs: [\n\
        slab\n\
      ],\n\
      ask: false\n\
    });\n\
  }\n\
};\n\
function threads() {\n\
  const home = globalThis;\n\
  return home[Symbol.for(MEETING)] ??= new Threads();\n\
}\n\
\n\
// recorder_worker.ts\n\
var parent = runtime.joinParent(serve);\n\
var settings = parent.data;\n\
var stats = new ProcessStats();\n\
var exposition = new Exposition();\n\
var { slabs } = threads();\n\
for (const slab of settings.slabs) slabs.set(slab.id, slab);\n\
var server = new PipeServer({\n\
  dir: settings.dir,\n\
  mode: settings.mode,\n\
  mayPark: settings.mayPark,\n\
  control: new RecorderControl(settings.control),\n\
  snapshot: () => {\n\
    stats.refresh(slabs.values());\n\
    return exposition.write(stats, settings.annotations);\n\
  }\n\
});\n\
async function serve() {\n\
  try {\n\
    await server.run(() => report({\n\
      state: \"ready\"\n\
    }));\n\
  } catch (error) {\n\
    const { message, code } = error;\n\
    report({\n\
      state: \"failed\",\n\
      why: message,\n\
      code\n\
    });\n\
  }\n\
}\n\
function report(report2) {\n\
  parent.post(report2);\n\
}\n\
serve();\n\
";
