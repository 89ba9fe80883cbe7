/**
 * Reads the TAP text that one test file printed, and says what came of it.
 *
 *     # Subtest: queue                        a comment names the test that follows, indented
 *         ok 1 - is empty                     a leaf: counted
 *         not ok 2 - returns credit           a leaf: counted, and kept with its diagnosis
 *           ---
 *           diff: …
 *           ...
 *         1..2
 *     not ok 1 - queue                        not a leaf: sums up the two above it
 *
 * Only leaves are counted. A test that fails though its leaves passed (it broke off) counts as one more failure.
 */
export function readTap(text) {
  const result = { passed: 0, failed: 0, skipped: 0, failures: [], comments: [] }
  const names = []
  const points = [] // points[depth]: how many points of the test now open at that depth, and how many of them failed
  let comments = [] // since the last point at depth 0
  let diagnosis // where the lines of a YAML block go, while one is open

  for (const line of text.split('\n')) {
    const depth = Math.floor((line.length - line.trimStart().length) / 4)
    const plain = line.trimStart()

    if (diagnosis !== undefined) {
      if (line === `${diagnosis.indent}...`) diagnosis = undefined
      else diagnosis.lines.push(line.slice(diagnosis.indent.length))
    } else if (plain === '---') {
      const indent = line.slice(0, -3)
      const last = result.failures.at(-1)
      diagnosis = { indent, lines: last?.depth === depth ? last.lines : [] }
    } else if (plain.startsWith('# Subtest: ')) {
      names[depth] = plain.slice('# Subtest: '.length).replaceAll('\\#', '#')
    } else if (plain.startsWith('# ')) {
      if (!/^# (\{ total|time=)/.test(plain)) comments.push(plain.slice(2))
    } else if (plain.startsWith('Bail out!')) {
      fail(names[0] ?? 'all', depth, [plain])
    } else {
      const point = /^(not )?ok \d+(?: - )?(.*?)(?: # time=.*?)?( # (?:SKIP|TODO).*)?(?: \{)?$/i.exec(plain)
      if (point !== null)
        count(depth, { ok: point[1] === undefined, name: point[2].replaceAll('\\#', '#'), excused: point[3] !== undefined })
      else if (/^1\.\.0 # /.test(line) && line !== '1..0 # no tests found') result.skipped += 1
    }
  }
  result.comments.push(...comments)
  return result

  function count(depth, { ok, name, excused }) {
    close()
    const below = points[depth + 1]
    points.length = depth + 1
    points[depth] ??= { count: 0, failed: 0 }
    points[depth].count += 1

    if (excused) result.skipped += 1
    else if (!ok && !(below?.failed > 0)) fail([...names.slice(0, depth), name].join(' › '), depth, [])
    else if (ok && below === undefined) result.passed += 1
    if (!ok && !excused) points[depth].failed += 1

    if (depth > 0) return
    if (!ok) result.comments.push(...comments)
    comments = []
  }

  function fail(name, depth, lines) {
    close()
    result.failed += 1
    result.failures.push({ name, lines, depth })
  }

  /** A diagnosis belongs to the point just before it, if that failed; no other may take it. */
  function close() {
    const last = result.failures.at(-1)
    if (last !== undefined) last.depth = undefined
  }
}
