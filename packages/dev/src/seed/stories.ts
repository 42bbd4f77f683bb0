/** An account as a story: who it is, what it may do, and the credit it starts with. */
export type Story = {
  readonly displayName: string;
  readonly scopes: readonly string[];
  readonly creditNanos: bigint;
};

export type StoryName = "richAccount" | "emptyAccount" | "operator";

/** The stories that `npm start`, tests and screenshots share. */
export const stories: Readonly<Record<StoryName, Story>> = {
  /** Has ten dollars and may do all that a customer may. */
  richAccount: {
    displayName: "Demo account",
    scopes: ["inference", "billing:read", "billing:write", "device"],
    creditNanos: 10_000_000_000n,
  },
  /** Has nothing, so every paid call is refused. */
  emptyAccount: {
    displayName: "Account without money",
    scopes: ["inference", "billing:read"],
    creditNanos: 0n,
  },
  /** Runs the installation and spends nothing. */
  operator: {
    displayName: "Operator",
    scopes: ["inference", "billing:read", "billing:write", "admin"],
    creditNanos: 0n,
  },
};
