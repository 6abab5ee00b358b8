/**
 * Cuts TypeScript or JavaScript into regions: `code`, `string`, `comment`, `regex`. The text of a template is `string`, what it inserts is `code`.
 * Enough to rename in code without touching a sentence, and the other way round.
 */
export const regionsOf = (text) => {
  const regions = [];
  let at = 0;
  let from = 0;
  // Of each template that is open: how many braces are open inside of its present insert.
  const templates = [];
  let lastToken = '';
  const cut = (kind, to) => {
    if (to > from) regions.push({ kind, from, to });
    from = to;
  };
  const readTemplate = () => {
    while (at < text.length) {
      if (text[at] === '\\') at += 2;
      else if (text[at] === '`') {
        at++;
        cut('string', at);
        lastToken = '`';
        return;
      } else if (text[at] === '$' && text[at + 1] === '{') {
        at += 2;
        cut('string', at);
        templates.push(0);
        lastToken = '{';
        return;
      } else at++;
    }
    cut('string', at);
  };
  if (text.startsWith('#!')) {
    at = text.indexOf('\n');
    cut('comment', at);
  }
  while (at < text.length) {
    const c = text[at];
    const next = text[at + 1];
    if (c === '/' && next === '/') {
      cut('code', at);
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
      cut('comment', at);
    } else if (c === '/' && next === '*') {
      cut('code', at);
      const end = text.indexOf('*/', at + 2);
      at = end < 0 ? text.length : end + 2;
      cut('comment', at);
    } else if (c === "'" || c === '"') {
      cut('code', at);
      at++;
      while (at < text.length && text[at] !== c && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
      at++;
      cut('string', at);
      lastToken = "'";
    } else if (c === '`') {
      cut('code', at);
      at++;
      readTemplate();
    } else if (c === '}' && templates.length > 0 && templates.at(-1) === 0) {
      templates.pop();
      cut('code', at);
      at++;
      readTemplate();
    } else if (c === '/' && mayBeginRegex(lastToken)) {
      cut('code', at);
      at++;
      let inClass = false;
      while (at < text.length && text[at] !== '\n') {
        if (text[at] === '\\') at += 2;
        else if (text[at] === '[') (inClass = true), at++;
        else if (text[at] === ']') (inClass = false), at++;
        else if (text[at] === '/' && !inClass) break;
        else at++;
      }
      at++;
      while (/[a-z]/.test(text[at] ?? '')) at++;
      cut('regex', at);
      lastToken = 'regex';
    } else if (/[A-Za-z_$]/.test(c)) {
      const start = at;
      while (/[\w$]/.test(text[at] ?? '')) at++;
      lastToken = text.slice(start, at);
    } else if (/\d/.test(c)) {
      while (/[\w.]/.test(text[at] ?? '')) at++;
      lastToken = '0';
    } else {
      if (templates.length > 0) {
        if (c === '{') templates[templates.length - 1]++;
        if (c === '}') templates[templates.length - 1]--;
      }
      if (!/\s/.test(c)) lastToken = c;
      at++;
    }
  }
  cut('code', at);
  return regions;
};

const keywords = new Set(['return', 'typeof', 'case', 'in', 'of', 'delete', 'void', 'throw', 'new', 'else', 'do', 'await', 'yield', 'instanceof']);
const mayBeginRegex = (token) =>
  token === '' || keywords.has(token) || (/^[^\w$]/.test(token) && ![')', ']', '}', "'", '`'].includes(token));
