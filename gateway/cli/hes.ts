console.log('hes', process.version, process.argv.slice(2));
