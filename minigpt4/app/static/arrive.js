// The key under which this browser finds its chat again. Nothing but the page's server ever sees it.
(given, visitor) => {
  const name = 'minigpt4-key';
  let key = '';
  try {
    key = localStorage.getItem(name) || [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    localStorage.setItem(name, key);
  } catch {}  // a browser that stores nothing
  return [key, visitor];
}
