/** What a stage of a calibration settles on, and why. */
export interface Choice {
  /** On the value that the stage varies: one of the factors that were tried, or for a budget beyond them what would do. */
  readonly factor: number;
  /** False where nothing that was tried is good: `reason` says what to do. */
  readonly isSound: boolean;
  /** One sentence with the numbers. */
  readonly reason: string;
}
