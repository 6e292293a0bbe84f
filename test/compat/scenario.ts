import type { Stage } from './recorder'
import type { Transcript } from './transcript'

interface Base {
  /** A sentence about what is observed. */
  name: string;
  /** What happens. Whatever it makes the stage record is the transcript. */
  run (stage: Stage): Promise<void>;
  /** Ids of docs/differences.md. */
  differs?: string[];
  /** The least level of the log that is compared. Default 'info', and 'silent' where only we run. */
  logLevel?: string;
}

/** Played on the reference and on us. */
export interface Compared extends Base {
  oursOnly?: false;
  /** How the transcripts differ: `lane - line` is only the reference's, `lane + line` only ours. Default: not at all. */
  diff?: string[];
}

/** Played on us alone: on the reference it would leak, hang, crash or let somebody in. */
export interface OursOnly extends Base {
  oursOnly: true;
  differs: string[];
  expect: Transcript;
}

export type Scenario = Compared | OursOnly

/** A refused upgrade is the last request of its connection, and its response says so. Where only that differs. */
export function saysClose (...lanes: string[]): Pick<Compared, 'differs' | 'diff'> {
  return {
    differs: ['refusal-says-close'],
    diff: lanes.flatMap(lane => [`${lane} + connection: close`, `${lane} - connection: keep-alive`])
  }
}
