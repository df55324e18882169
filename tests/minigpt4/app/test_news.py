"""News reach the page in any order that a network or a busy browser makes of them."""

from playwright.sync_api import expect

from .test_page import opened


# What tells the page that its stream ends takes longer than answers to what it asks meanwhile.
LATE = """(() => {
  const plain = window.fetch;
  window.fetch = async (request, options) => {
    const response = await plain(request, options);
    if (!String(request.url ?? request).includes('/queue/data')) return response;
    const late = new TransformStream({
      async transform(text, passed) {
        const at = text.indexOf('data: {"msg":"close_stream"');
        if (at >= 0) {
          passed.enqueue(text.slice(0, at));
          await new Promise((done) => setTimeout(done, 400));
          window.ends = (window.ends ?? 0) + 1;
        }
        passed.enqueue(at < 0 ? text : text.slice(at));
      },
    });
    const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(late).pipeThrough(new TextEncoderStream());
    return new Response(body, {headers: response.headers});
  };
})();"""


def test_an_event_in_the_instant_in_which_the_stream_ends_is_answered(context, boxes_page):
    context.add_init_script(LATE)
    page = opened(context, boxes_page)  # one event follows another here already
    for text, task in (("[refer] a", "refer"), ("[vqa] b", "vqa"), ("[refer] c", "refer")):
        page.fill("#textbox textarea", text)
        expect(page.locator(f"#task input[value='{task}']")).to_be_checked()
    assert page.evaluate("window.ends") > 1
