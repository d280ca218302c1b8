import type { OperationResult } from "../../../store/unit.js";
import type { DocumentTypes } from "../../document-types.js";
import type { Place, Places } from "../../places.js";
import type { Session } from "../../session.js";
import type { Facts } from "../facts.js";
import type { Staged } from "../staged.js";

/** What the parts of a commit that write need. */
export interface Applying {
  readonly session: Session;
  readonly place: Place;
  readonly places: Places;
  readonly types: DocumentTypes;
  readonly facts: Facts;
  readonly staged: Staged;
  readonly now: number;
}

/** What is known of a group once it is written. */
export interface Applied {
  /** The numbers of the new entries, in their order. */
  readonly entries: readonly number[];
  /** Those that finished an operation. */
  readonly results: readonly OperationResult[];
}
