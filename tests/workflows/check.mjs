// The workflows are what GitHub understands, by its own parser, and keep the rules below. Each rule is tried on a workflow that breaks it.
// Run by tests/lint/run, bundled, from the top of the tree.
import assert from "node:assert/strict";
import {readFileSync, readdirSync} from "node:fs";
import test from "node:test";
import {NoOperationTraceWriter, convertWorkflowTemplate, parseWorkflow} from "@actions/workflow-parser";
import {parse, stringify} from "yaml";

const folder = ".github/workflows";
const workflows = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, "utf8")]));
const commands = new Set(
    [...readFileSync("dev", "utf8").split("\ncase $command in\n")[1].matchAll(/^([a-z]+)\)/gm)].map((found) => found[1]),
);

const jobs = (workflow) => Object.values(workflow.jobs);
const steps = (workflow) => jobs(workflow).flatMap((job) => job.steps);
const scripts = (workflow) => steps(workflow).flatMap((step) => step.run ?? []);
const used = (workflow) => steps(workflow).flatMap((step) => step.uses ?? []);
const called = (workflow) => [
    ...scripts(workflow).flatMap((script) => [...script.matchAll(/\.\/dev ([a-z]+)/g)].map((found) => found[1])),
    ...jobs(workflow).flatMap((job) => job.strategy?.matrix?.command ?? []),
];
const writes = (job) => Object.values(job.permissions).includes("write");

// name -> what holds of a workflow, and a change to ci.yml that breaks it
const rules = {
    "nothing is permitted but what a job asks for": [
        (workflow) => Object.keys(workflow.permissions ?? {none: 1}).length === 0 && jobs(workflow).every((job) => job.permissions),
        (workflow) => delete workflow.permissions,
    ],
    "only a tag of a release writes, in a job that builds nothing": [
        (workflow) =>
            jobs(workflow).every((job) => !writes(job) || (!job.steps.some((step) => step.uses?.startsWith("actions/checkout@")) && job.needs)) &&
            (!jobs(workflow).some(writes) || (Object.keys(workflow.on).join() === "push" && Object.keys(workflow.on.push).join() === "tags")),
        (workflow) => (workflow.jobs.step.permissions.contents = "write"),
    ],
    "no job runs for ever, and no two of one kind at once": [
        (workflow) => workflow.concurrency && jobs(workflow).every((job) => job["timeout-minutes"] <= 240),
        (workflow) => delete workflow.jobs.engine["timeout-minutes"],
    ],
    "actions are official ones, by the tag of a release": [
        (workflow) => used(workflow).every((name) => /^actions\/[a-z-]+(\/[a-z-]+)?@v\d+\.\d+\.\d+$/.test(name)),
        (workflow) => workflow.jobs.engine.steps.push({uses: "somebody/else@v1.0.0"}),
    ],
    "a checkout leaves no token behind": [
        (workflow) =>
            steps(workflow).every((step) => !step.uses?.startsWith("actions/checkout@") || step.with["persist-credentials"] === false),
        (workflow) => delete workflow.jobs.engine.steps[0].with["persist-credentials"],
    ],
    "changes of strangers run without anybody's rights or secrets": [
        (workflow) =>
            !["pull_request_target", "workflow_run", "issue_comment"].some((event) => event in workflow.on) &&
            !/\$\{\{[^}]*\bsecrets\b|\bsecrets: /.test(stringify(workflow)),
        (workflow) => (workflow.on.pull_request_target = null),
    ],
    "no expression is put into a script": [
        (workflow) => scripts(workflow).every((script) => !script.includes("${{")),
        (workflow) => workflow.jobs.engine.steps.push({run: "echo ${{ github.head_ref }}"}),
    ],
    "what is called exists": [
        (workflow) => called(workflow).every((name) => commands.has(name)),
        (workflow) => workflow.jobs.step.strategy.matrix.command.push("tets"),
    ],
};

async function mistakes(name, content) {
    const parsed = parseWorkflow({name, content}, new NoOperationTraceWriter());
    const found = parsed.context.errors.getErrors().map((error) => error.message);
    const template = parsed.value ? await convertWorkflowTemplate(parsed.context, parsed.value) : {};
    return [...found, ...(template.errors ?? []).map((error) => error.Message)];
}

test("there are workflows, and commands to call", () => {
    assert.ok(Object.keys(workflows).length >= 5 && commands.has("test"));
});
for (const [name, content] of Object.entries(workflows)) {
    test(`${name} is what GitHub reads`, async () => assert.deepEqual(await mistakes(name, content), []));
    for (const [rule, [holds]] of Object.entries(rules)) {
        test(`${name}: ${rule}`, () => assert.ok(holds(parse(content))));
    }
}
for (const [rule, [holds, breakIt]] of Object.entries(rules)) {
    test(`found when it is broken: ${rule}`, () => {
        const workflow = parse(workflows["ci.yml"]);
        breakIt(workflow);
        assert.ok(!holds(workflow));
    });
}
test("found when it is broken: what GitHub reads", async () => {
    const broken = workflows["ci.yml"].replace("timeout-minutes: 60", "timeout-hours: 1").replace("runs-on: ubuntu-24.04", "");
    assert.notDeepEqual(await mistakes("ci.yml", broken), []);
});
