import { limits } from "../contract/limits.js";

/** More than key, headers and the frame of a batch take. */
const envelopeBytesMax = 65_536;

/** What a topic has to take, so that every event that may be published can be sent: one that cannot holds up all behind it. */
export const recordBytesMax = limits.bytesMax + envelopeBytesMax;

/** What topics that are made take. */
export const recordBytesMade = 2 * limits.bytesMax;
