/** Under which id the audit log stands among the logs of workers. */
export const AUDIT_ID = "audit";
