import fc from 'fast-check'

/** Texts of what begins and ends quotes, names, comments and statements. */
export const pieces = fc
  .array(
    fc.constantFrom(
      ...["'", "''", '"', '`', '[', ']', '\\', '--', '-- ', '#', '/*', '*/', '\n', '\r', '\t'],
      ...['?', ', ?', ', 1 as b', ' ', ';', '(', ')', '@p1', '@a', ':b', '1', '1.5e', '0x', 'é'],
      ...[", '?' as c", ', "?"', ' /* ? */ ', ' -- ?\n', 'select', 'into', 'ſ', '\u00a0', '\ud83d'],
    ),
    { maxLength: 12 },
  )
  .map((all) => all.join(''))
