// How Registrar is known at the provider.
export const client = { id: 'registrar', secret: 'the secret of an example' }

// Who can log in there.
export const user = { name: 'ada', password: 'lovelace' }
