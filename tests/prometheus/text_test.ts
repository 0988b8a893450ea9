import { assertEquals } from "@std/assert";
import { PrometheusExposition } from "../../prometheus/exposition.ts";
import { FEW, samples, SMALL, write } from "../helpers/exposition.ts";
import { makeHost } from "../helpers/host.ts";

Deno.test("respond() writes a host in the text format when there is no Accept header", () => {
  const { contentType, body } = new PrometheusExposition().respond(
    makeHost(SMALL),
    null,
    [],
  );
  assertEquals(
    contentType,
    "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
  );
  assertEquals(
    new TextDecoder().decode(body),
    String
      .raw`# HELP statvent_process_up Whether the process gave its values.
# TYPE statvent_process_up gauge
statvent_process_up{pid="1",process="unnamed"} 1
statvent_process_up{pid="2",process="unnamed"} 1
statvent_process_up{pid="4",process="unnamed"} 0
# HELP statvent_processes Processes of this host by whether they answer and respond.
# TYPE statvent_processes gauge
statvent_processes{state="ok"} 2
statvent_processes{state="hung"} 0
statvent_processes{state="unknown"} 0
statvent_processes{state="timeout"} 1
statvent_processes{state="invalid"} 0
statvent_processes{state="dead"} 1
# HELP bytes_total The stat bytes_total
# TYPE bytes_total counter
bytes_total 1.5
# HELP gr__e The stat größe
# TYPE gr__e untyped
gr__e 1.0e+22
# HELP http_requests_total Requests "so far"\n\\ all
# TYPE http_requests_total counter
http_requests_total{http_method="a\"\\\n"} 2
http_requests_total{method="GET"} 5
# HELP latency_seconds How long
# TYPE latency_seconds gauge
latency_seconds 0.25
# HELP queue_length The stat queue.length
# TYPE queue_length gauge
queue_length -3
# HELP db_ms The stat db.{0}.ms
# TYPE db_ms summary
db_ms{table="users",quantile="0.5"} 2
db_ms{table="users",quantile="0.95"} 3
db_ms{table="users",quantile="0.99"} 3
db_ms{table="users",quantile="1"} 1000
db_ms_sum{table="users"} 1006
db_ms_count{table="users"} 4
# HELP db_ms_histogram The stat db.{0}.ms
# TYPE db_ms_histogram histogram
db_ms_histogram_bucket{table="users",le="0.5"} 0
db_ms_histogram_bucket{table="users",le="1"} 1
db_ms_histogram_bucket{table="users",le="2"} 2
db_ms_histogram_bucket{table="users",le="4"} 3
db_ms_histogram_bucket{table="users",le="8"} 3
db_ms_histogram_bucket{table="users",le="16"} 3
db_ms_histogram_bucket{table="users",le="32"} 3
db_ms_histogram_bucket{table="users",le="64"} 3
db_ms_histogram_bucket{table="users",le="128"} 3
db_ms_histogram_bucket{table="users",le="256"} 3
db_ms_histogram_bucket{table="users",le="512"} 3
db_ms_histogram_bucket{table="users",le="1024"} 4
db_ms_histogram_bucket{table="users",le="+Inf"} 4
db_ms_histogram_sum{table="users"} 1006
db_ms_histogram_count{table="users"} 4
`,
  );
});

Deno.test("respond() writes a host in OpenMetrics", () => {
  assertEquals(
    write(FEW, "openmetrics"),
    String.raw`# TYPE bytes counter
# HELP bytes The stat bytes_total
bytes_total 1.5
# TYPE gr__e unknown
# HELP gr__e The stat größe
gr__e 1.0e+22
# TYPE http_requests counter
# HELP http_requests Requests \"so far\"\n\\ all
http_requests_total{http_method="a\"\\\n"} 2
http_requests_total{method="GET"} 5
# TYPE latency_seconds gauge
# UNIT latency_seconds seconds
# HELP latency_seconds How long
latency_seconds 0.25
# TYPE queue_length gauge
# HELP queue_length The stat queue.length
queue_length -3
# TYPE db_ms summary
# HELP db_ms The stat db.{0}.ms
db_ms{quantile="0.5"} 0
db_ms{quantile="1.0"} 1.5
db_ms_sum 1.5
db_ms_count 2
# TYPE db_ms_histogram histogram
# HELP db_ms_histogram The stat db.{0}.ms
db_ms_histogram_bucket{le="0.0"} 1
db_ms_histogram_bucket{le="1.0"} 1
db_ms_histogram_bucket{le="2.0"} 2
db_ms_histogram_bucket{le="+Inf"} 2
db_ms_histogram_sum 1.5
db_ms_histogram_count 2
# EOF
`,
  );
});

Deno.test("respond() puts names that need it in quotes when UTF-8 is allowed", () => {
  assertEquals(
    write(FEW, "text", "allow-utf-8"),
    String.raw`# HELP bytes_total The stat bytes_total
# TYPE bytes_total counter
bytes_total 1.5
# HELP "größe" The stat größe
# TYPE "größe" untyped
{"größe"} 1.0e+22
# HELP "http.requests_total" Requests "so far"\n\\ all
# TYPE "http.requests_total" counter
{"http.requests_total","http.method"="a\"\\\n"} 2
{"http.requests_total",method="GET"} 5
# HELP latency_seconds How long
# TYPE latency_seconds gauge
latency_seconds 0.25
# HELP "queue.length" The stat queue.length
# TYPE "queue.length" gauge
{"queue.length"} -3
# HELP "db.ms" The stat db.{0}.ms
# TYPE "db.ms" summary
{"db.ms",quantile="0.5"} 0
{"db.ms",quantile="1"} 1.5
{"db.ms_sum"} 1.5
{"db.ms_count"} 2
# HELP "db.ms_histogram" The stat db.{0}.ms
# TYPE "db.ms_histogram" histogram
{"db.ms_histogram_bucket",le="0"} 1
{"db.ms_histogram_bucket",le="1"} 1
{"db.ms_histogram_bucket",le="2"} 2
{"db.ms_histogram_bucket",le="+Inf"} 2
{"db.ms_histogram_sum"} 1.5
{"db.ms_histogram_count"} 2
`,
  );
});

Deno.test("respond() escapes names by dots and by values", () => {
  assertEquals(
    [...samples(write(FEW, "text", "dots")).slice(0, 8), "…"],
    [
      "bytes__total 1.5",
      "gr____e 1.0e+22",
      String.raw`http_dot_requests__total{http_dot_method="a\"\\\n"} 2`,
      'http_dot_requests__total{method="GET"} 5',
      "latency__seconds 0.25",
      "queue_dot_length -3",
      'db_dot_ms{quantile="0.5"} 0',
      'db_dot_ms{quantile="1"} 1.5',
      "…",
    ],
  );
  assertEquals(
    [...samples(write(FEW, "openmetrics", "values")).slice(0, 9), "…"],
    [
      "U__gr_f6__df_e 1.0e+22",
      String.raw`U__http_2e_requests__total{U__http_2e_method="a\"\\\n"} 2`,
      'U__http_2e_requests__total{method="GET"} 5',
      "U__queue_2e_length -3",
      "bytes_total 1.5",
      "latency_seconds 0.25",
      'U__db_2e_ms{quantile="0.5"} 0',
      'U__db_2e_ms{quantile="1.0"} 1.5',
      "U__db_2e_ms_sum 1.5",
      "…",
    ],
  );
});
