// What a client of ours starts as the browser: a person who allows and signs in, and whose browser
// then goes where it is sent, back to the client.

import { approve } from './person.mjs';

await fetch(await approve(process.argv[2]), { headers: { connection: 'close' } });
