/**
 * The files of ops/ are what those who read them take: Prometheus, Grafana, Docker,
 * Kubernetes and systemd, as far as a machine without them can tell.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { validate } from "dockerfile-utils";
import { parse, parseAllDocuments } from "yaml";
import { hasProgram, output, ROOT, withDir } from "../helpers/program.ts";

const OPS = new URL("ops/", ROOT).pathname;
const readOps = (name: string) => Deno.readTextFileSync(OPS + name);

const hasPromtool = await hasProgram("promtool", "--version");
if (!hasPromtool) console.log("skipped: there is no promtool");

const hasCompose = await hasProgram("docker-compose", "--version");
if (!hasCompose) console.log("skipped: there is no docker-compose");

const hasSystemd = await hasProgram("systemd-analyze", "--version");
if (!hasSystemd) console.log("skipped: there is no systemd-analyze");

/** Runs a command that must find nothing wrong. */
async function accepts(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await output(command, ...args);
  assertEquals(code, 0, `${command}: ${stdout}${stderr}`);
  return stdout + stderr;
}

Deno.test("ops/ has only files that are looked at here, and none is published", () => {
  const names = [...Deno.readDirSync(OPS)].map(({ name }) => name).sort();
  assertEquals(names, [
    "Dockerfile",
    "alerts.yaml",
    "alerts_test.yaml",
    "compose.yaml",
    "dashboard.json",
    "kubernetes.yaml",
    "prometheus-kubernetes.yml",
    "prometheus.yml",
    "statvent.service",
  ]);
  const { publish } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", ROOT)),
  );
  assert(!publish.include.some((each: string) => each.startsWith("ops")));
});

Deno.test({
  name: "promtool finds that the alerts fire when they should",
  ignore: !hasPromtool,
  fn: async () => {
    await accepts("promtool", "test", "rules", `${OPS}alerts_test.yaml`);
    // Each has been seen to fire, and not to fire.
    const { groups } = parse(readOps("alerts.yaml"));
    const tests = readOps("alerts_test.yaml");
    for (const { alert } of groups[0].rules) {
      assert(tests.includes(alert), alert);
    }
  },
});

Deno.test({
  name: "promtool accepts the scrape configurations",
  ignore: !hasPromtool,
  fn: () =>
    withDir(async (dir) => {
      await Deno.copyFile(`${OPS}alerts.yaml`, `${dir}/alerts.yaml`);
      for (const name of ["prometheus.yml", "prometheus-kubernetes.yml"]) {
        // Debian's Prometheus is built without Kubernetes.
        const text = readOps(name).replace(
          "kubernetes_sd_configs: [{ role: pod }]",
          'static_configs: [{ targets: ["a:1"] }]',
        );
        await Deno.writeTextFile(`${dir}/${name}`, text);
        const said = await accepts(
          "promtool",
          "check",
          "config",
          `${dir}/${name}`,
        );
        assert(said.includes("6 rules found"), said);
      }
    }),
});

/** What the test looks at of a dashboard. */
interface Dashboard {
  readonly schemaVersion: number;
  readonly templating: { list: { name: string; type: string }[] };
  readonly panels: {
    id: number;
    title: string;
    datasource: unknown;
    gridPos: { x: number; y: number; w: number; h: number };
    targets: { refId: string; datasource: unknown; expr: string }[];
  }[];
}

Deno.test("the dashboard is one for any data source, without panels over each other", () => {
  const { schemaVersion, templating, panels }: Dashboard = JSON.parse(
    readOps("dashboard.json"),
  );
  assertEquals(schemaVersion, 38);
  const names = templating.list.map(({ name }) => name);
  assertEquals(names, ["datasource", "job", "instance", "process"]);
  assertEquals(templating.list[0].type, "datasource");
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const source = { type: "prometheus", uid: "${datasource}" };
  const taken = new Set<string>();
  for (const { title, datasource, gridPos, targets } of panels) {
    assertEquals(datasource, source);
    const { x, y, w, h } = gridPos;
    assert(x + w <= 24, title);
    for (let i = x; i < x + w; i++) {
      for (let j = y; j < y + h; j++) {
        assert(!taken.has(`${i} ${j}`), title);
        taken.add(`${i} ${j}`);
      }
    }
    assertEquals(
      targets.map(({ refId }) => refId),
      targets.map((_, i) => String.fromCharCode(65 + i)),
    );
    for (const { expr, datasource } of targets) {
      assertEquals(datasource, source);
      for (const [, name] of expr.matchAll(/\$(\w+)/g)) {
        assert(names.includes(name) || /^__(rate_interval|range)$/.test(name));
      }
    }
  }
});

Deno.test("the Dockerfile is a valid one", () => {
  assertEquals(validate(readOps("Dockerfile")), []);
  assert(/^HEALTHCHECK [^]*\/healthz/m.test(readOps("Dockerfile")));
});

Deno.test({
  name: "docker-compose accepts compose.yaml",
  ignore: !hasCompose,
  fn: async () => {
    await accepts("docker-compose", "-f", `${OPS}compose.yaml`, "config", "-q");
  },
});

Deno.test("kubernetes.yaml has the types of Kubernetes", () =>
  withDir(async (dir) => {
    const documents = parseAllDocuments(readOps("kubernetes.yaml"))
      .map((each) => each.toJS({ mapAsMap: false }));
    assertEquals(documents.map(({ kind }) => kind), ["Deployment"]);
    // A literal may have no property that its type does not have.
    const check = async (deployment: unknown) => {
      const file = `${dir}/deployment.ts`;
      await Deno.writeTextFile(
        file,
        `import type { Deployment } from "npm:kubernetes-types@1.30.0/apps/v1.d.ts";
         export const deployment: Deployment = ${JSON.stringify(deployment)};`,
      );
      return await output(
        Deno.execPath(),
        ...["check", "--quiet", "--no-lock", file],
      );
    };
    const { code, stderr } = await check(documents[0]);
    assertEquals(code, 0, stderr);
    // It does find a misspelt one.
    const wrong = structuredClone(documents[0]);
    wrong.spec.template.spec.containers[0].volumeMount = [];
    assertEquals((await check(wrong)).code, 1);
  }));

Deno.test({
  name: "systemd accepts statvent.service",
  ignore: !hasSystemd,
  fn: () =>
    withDir(async (dir) => {
      const unit = `${dir}/statvent.service`;
      // What it starts need not be installed here.
      await Deno.writeTextFile(
        unit,
        readOps("statvent.service").replace("/usr/bin/node", "/bin/true"),
      );
      const { code, stderr } = await output("systemd-analyze", "verify", unit);
      const own = stderr.split("\n").filter((line) => line.includes(unit));
      assertEquals([code, own], [0, []]);
      // It does find a misspelt key.
      await Deno.writeTextFile(unit, `${await Deno.readTextFile(unit)}A=b\n`);
      const wrong = await output("systemd-analyze", "verify", unit);
      assert(wrong.stderr.includes("Unknown key"), wrong.stderr);
    }),
});
