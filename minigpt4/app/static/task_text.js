// `wordings`: for each task what its text begins with, and the words where the user has none.
const known = /^\s*\[(\w+)\]\s*/.exec(message.text || '');
let words = message.text || '';
if (known && wordings[known[1]]) {
  const [start, unsaid] = wordings[known[1]];
  const rest = words.slice(known[0].length);
  const begin = start.slice(start.indexOf(']') + 1).trim();
  words = rest.startsWith(begin) ? rest.slice(begin.length).trimStart() : rest;
  if (words.trim() === unsaid) words = '';
}
const [start, unsaid] = wordings[task] || ['', ''];
const text = start + (words.trim() ? words : unsaid);
setTimeout(() => {
  const area = document.querySelector('#textbox textarea');
  area.focus();
  area.setSelectionRange(text.length, text.length);
});
return {...message, text};
