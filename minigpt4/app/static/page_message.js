// The message that is being written is kept with every change, and is there again when the page is. One that was sent
// is offered again where neither an answer to it nor its making is known.
(() => {
  const {keep, kept} = window.minigpt4;
  const area = () => document.querySelector('#textbox textarea');
  const shown = () => [...document.querySelectorAll('#textbox .thumbnail-wrapper img')].map((picture) => picture.src);
  const answering = () => document.querySelector('#textbox .stop-button') !== null;
  let begun = false, words = '', pictures = [], addresses = '', answered = true;

  // Each tab has words of its own; a new tab goes on with those that were written last.
  function keep_words(text) {
    words = text;
    keep('words', text);
    try {
      sessionStorage.setItem('minigpt4-words', text);
    } catch {}  // a browser that stores nothing
  }
  async function kept_words() {
    let own = null;
    try {
      own = sessionStorage.getItem('minigpt4-words');
    } catch {}
    return own ?? await kept('words') ?? '';
  }
  function keep_pictures(files) {
    pictures = files;
    return keep('pictures', files);
  }

  function write(text) {
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area(), text);
    area().dispatchEvent(new Event('input', {bubbles: true}));
  }
  // Files go into the message as if they had been chosen in its dialog.
  function choose(files) {
    const input = document.querySelector('#textbox input[type="file"]');
    if (!input || !files.length) return;
    const held = new DataTransfer();
    files.forEach((file) => held.items.add(file));
    input.files = held.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
  }
  let restored;
  const restoring = new Promise((done) => { restored = done; });
  window.minigpt4.attach = async (files) => {
    await restoring;  // which would add what is kept here once more
    choose(files);
    if (files.length) keep_pictures([...pictures, ...files]);  // before they are uploaded
  };

  async function restore() {
    const [text, files] = [await kept_words(), await kept('pictures') || []];
    begun = true;
    pictures = files;
    if (text && !area().value) write(text);
    if (!shown().length) choose(files);
    restored();
  }

  function look_at_words() {
    if (begun && area() && area().value !== words) keep_words(area().value);
  }
  async function look_at_pictures() {
    const now = shown();
    if (String(now) === addresses) return;
    const files = await Promise.all(now.map(async (address, index) => {
      const content = await (await fetch(address)).blob();
      return new File([content], decodeURIComponent(address.split('/').pop()) || `picture-${index}`, {type: content.type});
    }));
    if (String(shown()) !== String(now)) return;  // they changed meanwhile
    addresses = String(now);
    keep_pictures(files);
  }

  // A message counts as sent when its answer has ended: until then it may have to be offered again.
  function send() {
    if (begun && (area().value || pictures.length)) keep('sent', {text: area().value, files: pictures});
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && event.target.matches?.('#textbox textarea')) send();
  }, true);
  document.addEventListener('click', (event) => event.target.closest?.('#textbox .submit-button') && send(), true);
  window.minigpt4.offer_again = async () => {
    await restoring;
    document.documentElement.dataset.arrived = '';  // the chat and the message are shown, if there are any
    const sent = await kept('sent');
    if (!sent || answering()) return;
    const said = [...document.querySelectorAll('#chat .user')].pop();
    const arrived = sent.text.trim() ? said?.querySelector('.words').innerText.trim() === sent.text.trim() : said?.querySelector('img');
    if (!area().value && !shown().length && !arrived) {
      write(sent.text);
      window.minigpt4.attach(sent.files);
    }
    keep('sent', null);
  };

  async function look() {
    if (!area()) return;
    if (!begun) await restore();
    look_at_words();
    if (!answered && !answering()) keep('sent', null);
    answered = !answering();
    await look_at_pictures();
  }
  let looking = false;
  setInterval(async () => {  // Gradio changes the message without an event
    if (looking) return;
    looking = true;
    await look().catch(() => {});  // a picture that cannot be had now
    looking = false;
  }, 400);
  document.addEventListener('input', look_at_words);
})();
