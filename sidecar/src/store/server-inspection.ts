/** What was seen of the server that a store is, or is to be, in. */
export type ServerInspection =
  /** It can't be asked: why, and what to do. */
  | { failure: string }
  | {
      failure: null;
      /** PostgreSQL's major release. */
      release: number;
      isTooOld: boolean;
      encoding: string;
      /** It takes no writes. */
      isReplica: boolean;
      /** Of the tables; null: there are none yet. */
      version: number | null;
      newest: number;
      /** A newer release has made it so that this one can't go on with it. */
      isOutdated: boolean;
      /** This machine has used the database until after the time that it is of: it was put back. Why a sidecar refuses it. */
      rewound: string | null;
      mayMakeTables: boolean;
      /** One of the tables that belongs to another user; null: none does. */
      strangeTable: string | null;
      /** Null: not known. Behind a pooler it says how that one reaches the server. */
      isEncrypted: boolean | null;
      roundTripMs: number;
    };
