/** The control: a service that does nothing, to see what the machine costs. */
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`Serving on http://127.0.0.1:${port}/`),
}, () => new Response("{}"));
