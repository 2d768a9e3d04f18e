/** The types of values that conditions read. `any` is what a caller may fill with any JSON. */
export type ValueType = 'bool' | 'string' | 'number' | 'int' | 'double' | 'null' | 'timestamp' | 'duration' | 'any' | ListType | MapType | RecordType;

/** A list of values of one type. */
export interface ListType {
  readonly list: ValueType;
}

/** Text to values of one type; which keys there are is not known before the request. */
export interface MapType {
  readonly map: ValueType;
}

/** A value with members that are known when the bundle loads; another name is a problem. */
export interface RecordType {
  readonly members: Readonly<Record<string, MemberType>>;
}

/** The type of a member; one that may be absent has to be guarded by `has(…)` before it is read. */
export type MemberType = ValueType | { readonly optional: ValueType };

export const isRecord = (type: ValueType): type is RecordType => typeof type === 'object' && 'members' in type;
export const isList = (type: ValueType): type is ListType => typeof type === 'object' && 'list' in type;
export const isMap = (type: ValueType): type is MapType => typeof type === 'object' && 'map' in type;
export const isOptional = (type: MemberType): type is { readonly optional: ValueType } => typeof type === 'object' && 'optional' in type;

/** The type of a member that is there. */
export const presentType = (type: MemberType): ValueType => (isOptional(type) ? type.optional : type);
