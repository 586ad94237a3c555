// The terminal's DOM under a Content-Security-Policy that allows no inline style.
//
// xterm.js writes `<style>` elements and one `style` attribute for colours beyond the palette (xtermjs/xterm.js#4445); both are inline
// styles, which `style-src 'self'` refuses. What the policy allows is the CSS object model: constructed style sheets, and the properties of
// an element's style. So the terminal is given a document that makes these where it asks for the others; the policy stays as it is.

/** An element that takes a style sheet's text, and applies it as a constructed sheet for as long as it is in the page. */
function sheet(real: Document, element: HTMLElement): HTMLElement {
  const rules = new CSSStyleSheet();
  element.hidden = true;
  let text = "";
  Object.defineProperty(element, "textContent", {
    get: () => text,
    set: (css: string) => {
      text = css;
      rules.replaceSync(css);
    },
  });
  real.adoptedStyleSheets.push(rules);
  element.remove = () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((it) => it !== rules);
    Element.prototype.remove.call(element);
  };
  return element;
}

/** A cell's element, whose `style` attribute is set by its properties. */
function cell(real: Document): HTMLElement {
  const element = real.createElement("span");
  element.setAttribute = (name: string, value: string) => {
    if (name === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
}

/** The document, but for styles. */
export function styled(real: Document): Document {
  const create = (tag: string, options?: ElementCreationOptions) =>
    tag === "style"
      ? sheet(real, real.createElement("i"))
      : tag === "span"
        ? cell(real)
        : real.createElement(tag, options);
  return new Proxy(real, {
    get: (target, name) => {
      if (name === "createElement") return create;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Does something while the page's own document makes no `<style>` either: xterm's viewport asks that one, whatever it was given. */
export function unstyled<T>(real: Document, work: () => T): T {
  const create = real.createElement.bind(real);
  const made = (tag: string, options?: ElementCreationOptions) =>
    tag === "style" ? sheet(real, create("i")) : create(tag, options);
  Object.defineProperty(real, "createElement", { value: made, configurable: true });
  try {
    return work();
  } finally {
    Reflect.deleteProperty(real, "createElement");
  }
}
