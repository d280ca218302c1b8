import type { Command } from "commander";
import { Failure } from "../failure/failure.js";

/** A place in the tree of commands, like `/consumers/ls`, and the words that can follow it. */
interface Place {
  readonly path: string;
  readonly words: readonly string[];
}

const shells = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/**
 * A script that completes commands and options in a shell. It holds the tree of commands as it is now: after an update
 * it is to be made anew.
 *
 * @throws {Failure} OPTION_INVALID when the shell is not known.
 */
export function completionScript(program: Command, shell: string): string {
  if (Object.hasOwn(shells, shell)) return shells[shell as keyof typeof shells](placesOf(program, ""));
  throw new Failure("OPTION_INVALID", `SHELL is ${JSON.stringify(shell)}; write ${Object.keys(shells).join(", ")}`, {
    details: { option: "SHELL" },
  });
}

function placesOf(command: Command, path: string): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command).filter((one) => one.name() !== "help");
  const options = help.visibleOptions(command).flatMap(({ long }) => long ?? []);
  const words = [...commands.map((one) => one.name()), ...options];
  return [{ path, words }, ...commands.flatMap((one) => placesOf(one, `${path}/${one.name()}`))];
}

const inner = (places: readonly Place[]): readonly string[] => places.map(({ path }) => path).filter((path) => path);

/** Where a command is due, files are not. */
const awaitsCommand = ({ words }: Place): boolean => words.some((word) => !word.startsWith("-"));

function cases(places: readonly Place[], line: (words: string, awaitsCommand: boolean) => string): string {
  return places
    .map((place) => `    "${place.path}") ${line(place.words.join(" "), awaitsCommand(place))} ;;`)
    .join("\n");
}

function bashScript(places: readonly Place[]): string {
  return `# source <(millrace completion bash)
_millrace() {
  local at="" word offered=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in
      ${inner(places).join("|")}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases(places, (words) => `offered="${words}"`)}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _millrace millrace`;
}

function zshScript(places: readonly Place[]): string {
  return `#compdef millrace
# source <(millrace completion zsh)
_millrace() {
  local at="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${inner(places).join("|")}) at="$at/$word" ;;
    esac
  done
  case "$at" in
${cases(places, (words, commands) => `compadd -- ${words}${commands ? "; return" : ""}`)}
  esac
  _files
}
compdef _millrace millrace`;
}

function fishScript(places: readonly Place[]): string {
  const offers = places.map((place) => {
    const files = awaitsCommand(place) ? " -f" : "";
    return `complete -c millrace -n '__millrace_at "${place.path}"'${files} -a '${place.words.join(" ")}'`;
  });
  return `# millrace completion fish | source
function __millrace_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at/$word"
      case ${inner(places).join(" ")}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
${offers.join("\n")}`;
}
