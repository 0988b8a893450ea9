/**
 * Discards the datagrams that it receives. Ends when its input does.
 *
 * Prints its port.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import { stdin } from "node:process";

const socket = createSocket("udp4", () => {});
socket.bind(0, "127.0.0.1", () => console.log(socket.address().port));
stdin.on("end", () => socket.close()).resume();
