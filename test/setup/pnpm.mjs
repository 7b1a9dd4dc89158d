/** Not in package.json's `packageManager`: pnpm would look that up at the registry in every run. */
export const PNPM = "pnpm@12.21.0";
