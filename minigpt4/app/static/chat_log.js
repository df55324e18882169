// The log is drawn anew whenever its value changes, so listeners sit on `element`, which stays.
const log = () => element.querySelector('.log');
const message = (node) => {
  const index = Number(node.closest('.message').dataset.index);
  return {index, ...props.value[index]};
};

async function copy(button, text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {  // a page of another machine without https
    const area = Object.assign(document.createElement('textarea'), {value: text});
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    button.focus();
  }
  button.classList.add('done');
  setTimeout(() => button.classList.remove('done'), 1500);
}

function edit(index) {
  props.editing = index;
  setTimeout(() => {
    const area = element.querySelector('.edited');
    area.value = props.value[index].text;
    area.focus();
  });
}

function finish(send) {
  const {turn} = props.value[props.editing];
  const text = element.querySelector('.edited').value;
  props.editing = null;
  if (send) trigger('edit', {turn, text});
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.matches('.example')) trigger('example_select', {index: Number(button.dataset.index)});
  else if (button.matches('.copy')) copy(button, message(button).text);
  else if (button.matches('.edit')) edit(message(button).index);
  else if (button.matches('.again')) trigger('retry');
  else if (button.matches('.done, .close')) finish(button.matches('.done'));
});
element.addEventListener('keydown', (event) => {
  if (!event.target.matches('.edited')) return;
  if (event.key === 'Escape') finish(false);
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    finish(true);
  }
});

// What comes at the end stays in view, unless the reader went back; of an answer with a picture, its beginning.
let following = true;
let place = 0;
let messages = 0;
element.addEventListener('scroll', () => {
  following = log().scrollTop + log().clientHeight > log().scrollHeight - 40;
  place = log().scrollTop;
}, true);
function follow() {
  const said = element.querySelectorAll('.message');
  if (said.length > messages) following = true;
  else if (log().scrollTop < Math.min(place, log().scrollHeight - log().clientHeight) - 1) following = false;  // its event is still to come
  messages = said.length;
  if (!following || !messages) return;
  const last = said[messages - 1];
  log().scrollTo(0, last.matches('.bot:has(.view)') ? last.offsetTop - 12 : log().scrollHeight);
  following = true;
  place = log().scrollTop;
}
new MutationObserver(() => { spread(); follow(); }).observe(element, {subtree: true, childList: true, characterData: true});
new ResizeObserver(() => { spread(); follow(); }).observe(element.closest('#chat'));
element.addEventListener('load', follow, true);
