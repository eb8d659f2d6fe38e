/** The page: it draws `state` every second and loads nothing from elsewhere. */
export const page = (nonce: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>rds-iam</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<header><h1 id="title">rds-iam</h1><span id="status" role="status">…</span></header>
<main>
<section id="tiles" aria-label="Numbers"></section>
<figure><figcaption id="caption"></figcaption>
<svg id="chart" viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-labelledby="caption"></svg>
<p class="ends"><span>a minute ago</span><span>now</span></p>
<p class="ends"><span><i class="good"></i>let in <i class="bad"></i>refused</span><span id="limit"></span></p></figure>
<div id="tables"></div>
</main>
<noscript>This page draws with a script of its own; the same is at /state.</noscript>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>
`;

const STYLE = `
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#1c2330;--soft:#5c6675;--line:#dfe3e9;--good:#1a7f5a;--bad:#c0392b;--mark:#8a6d00}
@media(prefers-color-scheme:dark){:root{--back:#12151b;--card:#1b2029;--text:#e8ebf0;--soft:#9aa5b5;--line:#2c333f;--good:#3fbf8c;--bad:#ff7b6b;--mark:#e3b341}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif}
header{display:flex;gap:12px;align-items:center;justify-content:space-between;max-width:960px;margin:0 auto;padding:18px 16px 4px}
h1{font-size:20px;margin:0}
#status{border:1px solid currentColor;border-radius:99px;padding:2px 12px;font-size:13px;color:var(--good);white-space:nowrap}
#status.off{color:var(--bad)}
main{max-width:960px;margin:0 auto;padding:8px 16px 32px}
#tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:8px 0 14px}
.tile,figure,table{background:var(--card);border:1px solid var(--line);border-radius:10px}
.tile{padding:10px 14px}
.tile b{display:block;font-size:24px;font-variant-numeric:tabular-nums}
.tile span,figcaption,caption,th,.ends{color:var(--soft);font-size:13px}
figure{margin:0 0 14px;padding:12px 14px}
svg{display:block;width:100%;height:130px;margin-top:8px}
.good{fill:var(--good);background:var(--good)}.bad{fill:var(--bad);background:var(--bad)}
.axis{stroke:var(--line)}.mark{stroke:var(--mark);stroke-dasharray:6 4}
.ends{display:flex;justify-content:space-between;gap:8px;margin:4px 0 0}
.ends i{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 4px 0 0}.ends i+i{margin-left:10px}
.ends .bad{margin-left:10px}
table{width:100%;border-collapse:separate;border-spacing:0;margin:0 0 14px}
caption{text-align:left;padding:4px 2px}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--line);vertical-align:top}
td{overflow-wrap:break-word}td.long{overflow-wrap:anywhere}
th{font-weight:500}tr:last-child td{border-bottom:0}
td{font-variant-numeric:tabular-nums}
.share{position:relative;display:block;height:6px;border-radius:3px;background:var(--line);margin-top:5px;min-width:70px;overflow:hidden}
.share i{position:absolute;inset:0 auto 0 0;background:var(--good)}
@media(min-width:561px){td:first-child:not(.long){white-space:nowrap}}
@media(max-width:560px){
thead{display:none}tr{display:block;padding:6px 0;border-bottom:1px solid var(--line)}tr:last-child{border-bottom:0}
td{display:grid;grid-template-columns:8.5em minmax(0,1fr);overflow-wrap:anywhere;gap:8px;border:0;padding:3px 12px}
td::before{content:attr(data-name);color:var(--soft);font-size:13px}
td.none::before{content:none}td.none{display:block}
}
`;

// Whatever clients have sent is only set as text, never as markup.
const SCRIPT = `
'use strict';
const byId = (id) => document.getElementById(id);
const make = (name, text, className) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const draw = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const key of Object.keys(attributes)) element.setAttribute(key, attributes[key]);
  return element;
};
function chart({ seconds, limit }) {
  const most = Math.max(1, ...seconds.map(({ good, bad }) => good + bad));
  // A limit far above the bars would flatten them.
  const top = limit !== undefined && limit <= most * 4 ? Math.max(most, limit) : most;
  const height = (count) => (count / top) * 116;
  const shapes = [draw('line', { x1: 0, x2: 600, y1: 119.5, y2: 119.5, class: 'axis' })];
  seconds.forEach(({ good, bad }, index) => {
    const x = index * 10 + 1;
    if (good) shapes.push(draw('rect', { x, y: 120 - height(good), width: 8, height: height(good), class: 'good' }));
    if (bad) shapes.push(draw('rect', { x, y: 120 - height(good) - height(bad), width: 8, height: height(bad), class: 'bad' }));
  });
  if (limit !== undefined && limit <= top) {
    const y = 120 - height(limit);
    shapes.push(draw('line', { x1: 0, x2: 600, y1: y, y2: y, class: 'mark' }));
  }
  byId('chart').replaceChildren(...shapes);
  const busiest = seconds.some(({ good, bad }) => good + bad > 0) ? 'at most ' + most + ' a second' : '';
  const limited = limit === undefined ? '' : 'limit ' + Math.round(limit) + ' a second';
  byId('limit').textContent = [busiest, limited].filter(Boolean).join(', ');
}
function table({ caption, columns, rows, none }) {
  const whole = make('table');
  whole.append(make('caption', caption));
  const head = make('tr');
  for (const column of columns) head.append(make('th', column));
  const top = make('thead');
  top.append(head);
  const body = make('tbody');
  for (const cells of rows) {
    const row = make('tr');
    cells.forEach((cell, index) => {
      const isText = typeof cell === 'string';
      const field = make('td', undefined, isText && cell.length > 24 ? 'long' : '');
      field.dataset.name = columns[index];
      const value = make('span', isText ? cell : cell.text);
      if (!isText) {
        const share = make('span', undefined, 'share');
        const bar = make('i');
        bar.style.width = Math.round(Math.min(1, cell.share) * 100) + '%';
        share.append(bar);
        value.append(share);
      }
      field.append(value);
      row.append(field);
    });
    body.append(row);
  }
  if (rows.length === 0) {
    const row = make('tr');
    const field = make('td', none, 'none');
    field.colSpan = columns.length;
    row.append(field);
    body.append(row);
  }
  whole.append(top, body);
  return whole;
}
function show(state) {
  document.title = state.title;
  byId('title').textContent = state.title;
  byId('status').textContent = state.status;
  byId('status').className = state.status === 'ready' ? '' : 'off';
  byId('tiles').replaceChildren(...state.tiles.map(({ name, value }) => {
    const tile = make('div', undefined, 'tile');
    tile.append(make('b', value), make('span', name));
    return tile;
  }));
  byId('caption').textContent = state.chart.caption;
  chart(state.chart);
  byId('tables').replaceChildren(...state.tables.map(table));
}
async function refresh() {
  try {
    const response = await fetch('state', { cache: 'no-store' });
    if (!response.ok) throw new Error();
    show(await response.json());
  } catch {
    byId('status').textContent = 'not reachable';
    byId('status').className = 'off';
  }
  setTimeout(refresh, 1000);
}
refresh();
`;
