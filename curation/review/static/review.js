() => {
    const KEYS = { k: "keep", s: "save", d: "drop", u: "undo", f: "finish" };
    document.addEventListener("keydown", (event) => {
        const box = document.querySelector("#edit textarea");
        if (event.target === box) {
            if (event.key === "Escape") box.blur();
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                box.blur();
                document.getElementById("save").click();
            }
            return;
        }
        // A key that is held down decides once.
        if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
        const key = event.key.toLowerCase();
        if (key === "e") {
            event.preventDefault();
            box.focus();
        } else if (key in KEYS) {
            event.preventDefault();
            document.getElementById(KEYS[key]).click();
        }
    });
}
