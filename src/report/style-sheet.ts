/** The style sheet of report.html: light and dark, on a phone, a desk and paper. */
import { DARK_COLOURS, FONT, PANEL_WIDTH } from "./theme.ts";

/** Plots are drawn in light colours; on a dark page each is mapped to its counterpart. */
function darkPlots(): string {
  return Object.entries(DARK_COLOURS)
    .map(([light, dark]) => `.plot [fill="${light}"]{fill:${dark}}.plot [stroke="${light}"]{stroke:${dark}}`)
    .join("\n    ");
}

export const STYLE_SHEET = `
  :root { color-scheme: light dark; --ink: #1b1f24; --muted: #57606a; --line: #d8dee4; --page: #ffffff; --card: #f6f8fa; --bad: #b33a00; --link: #0060a8; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --muted: #9aa4af; --line: #30363d; --page: #0d1117; --card: #161b22; --bad: #f0804a; --link: #6cb6ff; }
  }
  @media screen and (prefers-color-scheme: dark) {
    ${darkPlots()}
  }
  * { box-sizing: border-box; }
  html { -webkit-text-size-adjust: 100%; }
  body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 ${FONT}; }
  main { max-width: 1320px; margin: 0 auto; padding: 28px 20px 56px; }
  h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
  h2 { margin: 40px 0 4px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 19px; }
  h3 { margin: 22px 0 2px; font-size: 15px; }
  p { margin: 4px 0 10px; max-width: 78ch; overflow-wrap: anywhere; }
  .quiet { color: var(--muted); }
  .small { font-size: 13px; }
  a { color: var(--link); }
  .headlines { display: flex; flex-wrap: wrap; gap: 10px; margin: 18px 0 0; padding: 0; }
  .headlines div { flex: 1 1 160px; padding: 10px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
  .headlines dt { color: var(--muted); font-size: 12.5px; }
  .headlines dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
  .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 350px), 1fr)); gap: 14px; margin-top: 12px; }
  figure { display: flex; flex-direction: column; justify-content: space-between; margin: 0; padding: 8px; border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
  figure svg { display: block; width: 100%; max-width: ${Math.round(1.25 * PANEL_WIDTH)}px; height: auto; margin: 0 auto; }
  figcaption { text-align: right; font-size: 12px; }
  figure.absent { padding: 14px; color: var(--muted); }
  figure.absent strong { display: block; color: var(--ink); }
  .scroll { overflow-x: auto; max-width: 100%; }
  table { border-collapse: collapse; margin: 6px 0 4px; font-size: 13.5px; font-variant-numeric: tabular-nums; }
  th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; white-space: nowrap; }
  thead th { color: var(--muted); font-weight: 600; border-bottom-width: 2px; }
  .number { text-align: right; }
  .wraps { white-space: normal; min-width: 12em; overflow-wrap: anywhere; }
  .bad { color: var(--bad); }
  pre { overflow-x: auto; padding: 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); font-size: 12.5px; }
  summary { cursor: pointer; }
  @media (max-width: 480px) { main { padding: 18px 12px 40px; } figure { padding: 4px; } }
  @media print {
    :root { color-scheme: light; --ink: #1b1f24; --muted: #57606a; --line: #d8dee4; --page: #ffffff; --card: #ffffff; --bad: #b33a00; }
    main { max-width: none; padding: 0; }
    figure, tr { break-inside: avoid; }
    h2, h3 { break-after: avoid; }
    .scroll, pre { overflow: visible; }
    pre { white-space: pre-wrap; }
    figcaption { display: none; }
    .figures { grid-template-columns: repeat(2, 1fr); }
  }
`;
