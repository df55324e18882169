"""Adding pictures to a message, and looking at them."""

import base64

from playwright.sync_api import expect

from .test_page import answers, opened, ready, say, scene_file, upload  # noqa: F401


GIVE = """async ([how, files]) => {
    const data = new DataTransfer();
    for (const [name, type, content] of files) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name, {type}));
    }
    const options = {bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data};
    const event = how === 'paste' ? new ClipboardEvent(how, options) : new DragEvent(how, options);
    document.querySelector('#title').dispatchEvent(event);
}"""


# A busy browser: it looks for what was kept just after a picture was added, and uploads are slow.
BUSY = """(() => {
    const {setInterval: repeat, fetch: plain, createImageBitmap: bitmap} = window;
    let added = false;
    window.uploads = 0;
    window.createImageBitmap = async (file) => {
        setTimeout(() => { added = true; }, 100);
        return bitmap(file);
    };
    window.setInterval = (work, every, ...more) => repeat(() => (every !== 400 || added) && work(), every, ...more);
    window.fetch = async (request, ...more) => {
        if (/upload\\?/.test(request.url ?? request)) {
            window.uploads += 1;
            await new Promise((done) => setTimeout(done, 1500));
        }
        return plain(request, ...more);
    };
})();"""


def test_a_picture_added_before_the_page_has_arrived_is_added_once(context, nano_page, scene_file):  # noqa: F811
    context.add_init_script(BUSY)
    page = context.new_page()
    page.goto(nano_page)
    expect(page.locator("#textbox textarea")).to_be_visible()
    upload(page, scene_file)
    expect(page.locator("html[data-arrived]")).to_be_attached()
    assert page.evaluate("window.uploads") == 1


def test_drop_paste_bad_files_and_enlarging(context, nano_page, scene_file):  # noqa: F811
    content = base64.b64encode(scene_file.read_bytes()).decode()
    picture = lambda name: [name, "image/png", content]  # noqa: E731
    page = opened(context, nano_page)
    page.evaluate(GIVE, ["dragenter", [picture("a.png")]])
    expect(page.locator("#drop")).to_have_text("Drop pictures anywhere")
    expect(page.locator("#drop")).to_be_visible()
    bad = [
        ["photo.heic", "", "AAAA"],
        ["broken.png", "image/png", content[:100]],
        ["large.png", "image/png", base64.b64encode(bytes(20 * 2**20 + 1)).decode()],
        ["notes.txt", "text/plain", "AAAA"],
    ]
    page.evaluate(GIVE, ["drop", [picture("a.png"), *bad]])
    expect(page.locator("#drop")).to_be_hidden()
    thumbnails = page.locator("#textbox .thumbnail-image")
    expect(thumbnails).to_have_count(1)
    expect(page.locator("#refused p span")).to_have_text(
        [
            "photo.heic is HEIC, which cannot be read: save it as JPEG or PNG.",
            "broken.png is damaged, or not a picture.",
            "large.png has 20.0 MB; at most 20 MB can be read.",
            "notes.txt is not a picture.",
        ]
    )
    page.evaluate(GIVE, ["paste", [picture("b.png")]])
    expect(thumbnails).to_have_count(2)
    expect(page.locator("#refused p")).to_have_count(0)
    say(page, "What is different?")
    expect(answers(page)).to_have_count(1)
    ready(page)
    pictures = page.locator("#chat .user .pictures button")
    expect(pictures).to_have_count(2)  # in one bubble, side by side
    first, second = (pictures.nth(number).bounding_box() for number in range(2))
    assert first["y"] == second["y"]
    assert first["height"] < 120
    pictures.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#enlarged img")).to_be_visible()
    assert page.locator("#enlarged img").bounding_box()["height"] > 600
    page.keyboard.press("Escape")
    expect(page.locator("#enlarged")).to_have_count(0)
