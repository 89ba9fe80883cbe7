/** Nothing here yet. */
export {}
