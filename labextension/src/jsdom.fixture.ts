/** What jsdom lacks of a browser, and modules ask for while they load: imported before them. */

const none = () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
Object.assign(window, { matchMedia: none, DragEvent: Event });
Object.assign(globalThis, { matchMedia: none, DragEvent: Event, __webpack_public_path__: '/', VIEWS_DIGEST: '' });

export {};
