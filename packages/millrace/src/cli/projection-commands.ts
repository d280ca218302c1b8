import type { Command } from "commander";
import type { Making } from "./saga-commands.js";

const names = "NAME, NAME@VERSION, or NAME@VERSION.BUILD";

/** Adds what there is to see and to do about projections. */
export function addProjections(program: Command, { finish, about, changing, examples }: Making): void {
  const load = () => import("./projections.js");
  const projections = program.command("projections").description("views folded from the log, and their builds");
  about(projections.command("ls", { isDefault: true }))
    .description("list builds: live ones answer, others are built beside them or were live before")
    .action(async (options) => finish(await (await load()).listProjections(options)));
  about(projections.command("show <projection>"))
    .description(`print the builds of one projection: ${names}`)
    .action(async (name, options) => finish(await (await load()).showProjection(name, options)));
  changing(projections.command("rebuild <projection>"))
    .description("build the rows of a version once more, beside the live ones")
    .option("--force", "also from a topic that does not hold its beginning any more")
    .action(async (name, options) => finish(await (await load()).rebuildProjection(name, options)));
  changing(projections.command("swap <projection>"))
    .description("have the build answer that was made last, or the one named; refused while it is behind the live one")
    .option("--wait [duration]", "until it has come there (default 10m)")
    .option("--force", "also when events wait in its lanes that the live rows have")
    .addHelpText("after", examples('projections swap order-summary --wait --reason "version 3"'))
    .action(async (name, options) => finish(await (await load()).swapProjection(name, options)));
  about(projections.command("verify <projection>"))
    .description("compare the live rows with a fresh fold of the log; exit status 10 when they differ")
    .action(async (name, options) => finish(await (await load()).verifyProjection(name, options)));
  about(projections.command("compare <projection> [other]"))
    .description("compare two builds row by row; exit status 10 when they differ")
    .addHelpText(
      "after",
      examples("projections compare order-summary", "projections compare order-summary@2 order-summary@3"),
    )
    .action(async (name, other, options) => finish(await (await load()).compareProjections(name, other, options)));
  changing(projections.command("drop <projection>"))
    .description("end a build that does not answer, and remove its rows")
    .action(async (name, options) => finish(await (await load()).dropProjection(name, options)));
  for (const verb of ["pause", "resume"] as const)
    changing(projections.command(`${verb} <projection>`))
      .description(`${verb} the build under way, or the one named`)
      .action(async (name, options) => finish(await (await load()).turnProjection(name, verb, options)));
}
