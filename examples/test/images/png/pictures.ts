/**
 * Pictures that our own encoder has not made: written by other programs, their pixels known by formula. The first was
 * written with all five filters over its seven passes.
 */
export const interlaced = {
  file: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAsAAAAHCAIAAAEmCxCcAAAAs0lEQVR4AX3MMWrCYBiH8SeJLvLiUIQPQQKlvBIoDSKIUAJOOvynzJLRG3gDR+fQublFbiH0AN/oOVoF' +
      'oZPwW58HoIekgZSWpq379jsr4QgdDGgLqO9EqUmj4qyqV33VISFSUv2XBtg+4gtkplHwafC34B/B1wM0ghz+rnch5tu4P8avLv5c4jjBCQyfSBG3iSYoRwVaogrtUI32' +
      '6JBxwvzFPJjPzF/N5+bv5gvzlfmn+eYXCrgoRcv+B1QAAAAASUVORK5CYII=',
    'base64',
  ),
  width: 11,
  height: 7,
  pixel: (x: number, y: number) => [(x * 23) % 256, (y * 37) % 256, (x * y * 5) % 256],
}

/** Two bits a pixel, 5 x 3, a palette of four colours, one of which is transparent. */
export const palette = {
  file: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAUAAAADAgMAAAAmWC1rAAAADFBMVEX/AAAA/wAAAP8AAAD7vkbkAAAAAnRSTlP/AOW3MEoAAAARSURBVHicY5BkYFjJwBj6GgAFtgIETinf' +
      '9QAAAABJRU5ErkJggg==',
    'base64',
  ),
  rows: [
    [0, 1, 2, 1, 0],
    [2, 2, 2, 1, 0],
    [1, 1, 1, 1, 1],
  ],
}
