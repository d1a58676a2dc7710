import binding from '#binding'

export const native: object = binding
