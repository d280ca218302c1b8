import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { installPackages } from "./install.js";
import type { Secure } from "./machine.js";
import { findProgram } from "./place.js";

const run = promisify(execFile);
const username = "millrace";
const mechanism = "SCRAM-SHA-512";

/** A listener that takes TLS with a user and a password: its settings, what the user is made with, and how to reach it. */
export interface SecureListener {
  readonly listener: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly format: readonly string[];
  readonly secure: Secure;
}

/** Makes its certificate, for the loopback address. */
export async function secureListener(home: string, port: number): Promise<SecureListener> {
  if (findProgram("keytool") === undefined) await installPackages("keytool", ["default-jre-headless"]);
  const store = join(home, "broker.p12");
  const password = randomBytes(12).toString("hex");
  const access = ["-keystore", store, "-storetype", "PKCS12", "-storepass", password, "-alias", "broker"];
  const key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30"];
  await run("keytool", ["-genkeypair", ...access, ...key, "-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1"]);
  const { stdout: ca } = await run("keytool", ["-exportcert", "-rfc", ...access]);
  const own = "listener.name.secure";
  return {
    listener: `SECURE://127.0.0.1:${port}`,
    settings: {
      "sasl.enabled.mechanisms": mechanism,
      [`${own}.sasl.enabled.mechanisms`]: mechanism,
      [`${own}.scram-sha-512.sasl.jaas.config`]: "org.apache.kafka.common.security.scram.ScramLoginModule required;",
      [`${own}.ssl.keystore.type`]: "PKCS12",
      [`${own}.ssl.keystore.location`]: store,
      [`${own}.ssl.keystore.password`]: password,
      [`${own}.ssl.key.password`]: password,
    },
    format: ["--add-scram", `${mechanism}=[name=${username},password=${password}]`],
    secure: { address: `127.0.0.1:${port}`, ca, username, password },
  };
}
