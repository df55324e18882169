// All news of a page come through one stream, which Gradio ends when nothing more is awaited. Of what was asked in that instant,
// before the page has read of the end, it would never hear: an event that does nothing makes it open the stream again.
(() => {
  const plain = window.fetch;
  const awaited = new Set(), early = new Set();  // events; those that were completed before the page knew their names

  function read(message) {
    if (message.startsWith('data: {"msg":"process_completed"')) {
      const event = JSON.parse(message.slice(6)).event_id;
      awaited.delete(event) || early.add(event);
    } else if (message.startsWith('data: {"msg":"close_stream"') && awaited.size) {
      awaited.clear();
      setTimeout(() => document.querySelector('#listen').click());  // when Gradio has read it, too
    }
  }
  function watched() {
    let begun = '';  // a message of which the rest is still to come
    return new TransformStream({
      transform(text, passed) {
        const messages = (begun + text).split('\n\n');
        begun = messages.pop();
        messages.forEach(read);
        passed.enqueue(text);
      },
    });
  }

  window.fetch = async (request, options) => {
    const response = await plain(request, options), address = String(request.url ?? request);
    if (address.includes('/queue/join') && response.ok) {
      const event = (await response.clone().json()).event_id;
      early.delete(event) || awaited.add(event);
    }
    if (!address.includes('/queue/data') || !response.body) return response;
    const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(watched()).pipeThrough(new TextEncoderStream());
    return new Response(body, {status: response.status, headers: response.headers});
  };
})();
