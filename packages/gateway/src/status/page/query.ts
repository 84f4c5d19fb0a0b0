// What of the status a page shows, as the query of its URL says it.

/** The order of the members. */
export interface Order {
  /** Key of the column. */
  readonly column: string
  readonly descending: boolean
}

/** One member of one dispatcher, by name. */
export interface MemberPath {
  readonly dispatcher: string
  readonly member: string
}

/** What of the status a page shows. */
export interface View {
  /** Undefined: as configured. */
  readonly order: Order | undefined
  /** Text that the members shown have in name, address, route or state; empty for all. */
  readonly filter: string
  /** The only member to show. */
  readonly member: MemberPath | undefined
  /** Whether the page stays as it is. */
  readonly paused: boolean
}

/** Reads a view from the query of a URL. Unknown parameters and columns are ignored. */
export function readView(query: URLSearchParams): View {
  const sort = query.get('sort') ?? ''
  const descending = sort.startsWith('-')
  const dispatcher = query.get('dispatcher')
  const member = query.get('member')
  return {
    order: sort === '' ? undefined : { column: sort.slice(descending ? 1 : 0), descending },
    filter: (query.get('filter') ?? '').trim(),
    member: dispatcher === null || member === null ? undefined : { dispatcher, member },
    paused: query.get('refresh') === '0',
  }
}

/** The parameters of a view, as names and values; those with their defaults are left out. */
export function parametersOf({ member, order, filter, paused }: View): Array<[string, string]> {
  const all: Array<[string, string]> = []
  if (member !== undefined) all.push(['dispatcher', member.dispatcher], ['member', member.member])
  if (order !== undefined) all.push(['sort', `${order.descending ? '-' : ''}${order.column}`])
  if (filter !== '') all.push(['filter', filter])
  if (paused) all.push(['refresh', '0'])
  return all
}

/** A link, relative to the page, to a view that differs from the present one. */
export function linkTo(view: View, changes: Partial<View>): string {
  return `?${new URLSearchParams(parametersOf({ ...view, ...changes }))}`
}
