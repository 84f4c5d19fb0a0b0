/** An application that listens where it is told to. `/hold` begins an answer, and ends it with the body. */
import { text } from 'node:stream/consumers'
import { createServer } from '@fastcgi/application'

createServer(async (req, res) => {
  if (req.url === '/echo') req.pipe(res)
  else if (req.url === '/hold') {
    res.write('held ')
    res.end(await text(req))
  } else res.end('listening-program')
}).listenFromArgv()
